"""The struct that holds a network's state, and what of it a file's users see."""

import math
from dataclasses import dataclass

from ._image import image_type
from ._parts import pair_words
from ._plan import Plan
from ._tables import padded, smallest_type

__all__ = ["Member", "members", "state_bytes"]


@dataclass(frozen=True)
class Member:
    """An array in the struct, or a number.

    Attributes:
        type: Of its numbers, in C.
        name: Its name.
        length: How many numbers; 0 for one that is no array.
        what: What they are.
    """

    type: str
    name: str
    length: int
    what: str

    @property
    def declaration(self) -> str:
        """Its line in the struct."""
        brackets = f"[{self.length}]" if self.length else ""
        return f"{self.type} {self.name}{brackets}; /* {self.what} */"

    @property
    def size(self) -> int:
        """Bytes of all numbers."""
        return self.width * max(1, self.length)

    @property
    def width(self) -> int:
        """Bytes of a number."""
        return int("".join(filter(str.isdigit, self.type))) // 8


def members(plan: Plan) -> list[Member]:
    """The struct's arrays, those of the widest numbers first, so that no gaps are between them."""
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
    """Size of the struct where words are aligned to their 4 bytes."""
    found = members(plan)
    widest = max(member.width for member in found)
    return -(-sum(member.size for member in found) // widest) * widest
