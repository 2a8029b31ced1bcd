"""The C struct that holds a network's state."""

import math
from dataclasses import dataclass

from ._image import image_type
from ._parts import pair_words
from ._plan import Plan
from ._tables import padded, smallest_type

__all__ = ["Member", "members", "state_bytes"]


@dataclass(frozen=True)
class Member:
    """An array or a number in the struct.

    Attributes:
        type: C type of its numbers.
        name: Name in the struct.
        length: Length of the array; 0 for a single number.
        what: Meaning of the numbers, for a comment.
    """

    type: str
    name: str
    length: int
    what: str

    @property
    def declaration(self) -> str:
        """The line of the member in the struct."""
        brackets = f"[{self.length}]" if self.length else ""
        return f"{self.type} {self.name}{brackets}; /* {self.what} */"

    @property
    def size(self) -> int:
        """Bytes of all numbers."""
        return self.width * max(1, self.length)

    @property
    def width(self) -> int:
        """Bytes per number."""
        return int("".join(filter(str.isdigit, self.type))) // 8


def members(plan: Plan) -> list[Member]:
    """Members of the struct; the widest numbers come first, so that the struct has no gaps."""
    count = smallest_type(0, plan.program.time_steps)
    classes = plan.neurons[-1].shape[2]
    found = [
        Member(count, "counts", padded(classes), "spikes of each class; 0 behind the last"),
        Member(count, "steps", 0, "time steps made"),
    ]
    if plan.neurons[-1].scored:
        found.append(Member("int32_t", "spent", padded(classes), "their thresholds, summed"))
    for neurons in plan.neurons:
        pixels, filters = math.prod(neurons.shape[:2]), neurons.shape[2]
        words = pixels * (pair_words(neurons) if neurons.packed else filters)
        type = "uint32_t" if neurons.packed else "int32_t"
        what = "potentials, two a word" if neurons.packed else "potentials"
        found.append(Member(type, f"v_{neurons.name}", words, what))
        if neurons.constant:
            found.append(Member(type, "current", words, "of the image"))
    found += [
        Member("uint8_t", f"fired_{pooling.name}", -(-math.prod(pooling.shape) // 8), "a bit each")
        for pooling in plan.poolings
        if pooling.layer.kind == "or"
    ]
    found += [
        Member(
            image_type(plan, pooling),
            f"image_{pooling.name}",
            math.prod(pooling.shape),
            "the image, pooled",
        )
        for pooling in plan.image
    ]
    return sorted(found, key=lambda member: -member.width)


def state_bytes(plan: Plan) -> int:
    """Size of the struct in bytes, on machines that align words to 4 bytes."""
    found = members(plan)
    widest = max(member.width for member in found)
    return -(-sum(member.size for member in found) // widest) * widest
