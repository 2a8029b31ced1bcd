"""`Exported`: a written file and facts about it."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..basics.types import Images
from .check import Check
from .formats import Memory, writer
from .program import Program

__all__ = ["Exported"]


@dataclass(frozen=True, repr=False)
class Exported:
    """A written and checked file; it shows itself in a few lines.

    Attributes:
        path: The file. For C it is the source; the header is beside it.
        format: One of `FORMATS`.
        form: Form of the graph, such as `"unrolled"`.
        size: Size of all files, in bytes. For C it is the size of the text; see `memory`.
        nodes: Number of nodes of the graph; for C, number of functions.
        check: Result of the check, or `None` if the file was not checked.
        program: The network in the file.
        accuracy: Accuracy of the file on the test images, or `None` without test images. The class
            is the first one with the highest score.
        weights: Number format in which the file holds the weights of a float network.
        memory: What a C file needs on the device, see `Memory`; `None` for other formats.
    """

    path: Path
    format: str
    form: str
    size: int
    nodes: int
    check: Check | None
    program: Program
    accuracy: float | None
    weights: str = "float32"
    memory: Memory | None = None

    def __repr__(self) -> str:
        check = (
            "not made"
            if self.check is None
            else f"{self.check}, compared with {self.compared_with}"
        )
        steps = self.program.time_steps
        size = f"{self.size:,} bytes" if self.memory is None else f"{self.size:,} bytes of text"
        lines = [
            f"Exported {self.path}",
            f"  {self.format}, {self.form}: {self.numbers}, T = {steps}, {size}",
            f"  check: {check}",
        ]
        if self.memory is not None:
            lines.append(f"  on the device: {self.memory}")
        if self.accuracy is not None:
            images = self.program.metadata["accuracy_images"]
            lines.append(f"  accuracy: {self.accuracy:.2%} of {images:,} test images")
        return "\n".join(lines)

    @property
    def numbers(self) -> str:
        """The number format, in words, such as `"int8, weights of 4 bits"`."""
        bits, numbers = self.program.weight_bits, self.program.number_format
        if bits is None:
            return numbers if self.weights == numbers else f"{numbers}, weights in {self.weights}"
        return numbers if bits == 8 else f"{numbers}, weights of {bits} bits"

    @property
    def compared_with(self) -> str:
        """The network that the check compares the file with: the one in it, in words."""
        if self.program.is_integer:
            return "the integer network"
        half = self.weights != "float32"
        return "the network with rounded weights" if half else "the float network"

    def run(self, images: Images) -> np.ndarray:
        """Run the file in its real runtime; return spike counts or scores `(batch, classes)`."""
        scores: np.ndarray = writer(self.format).run(self.path, self.program, images)
        return scores
