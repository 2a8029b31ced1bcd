"""Integer networks: from a float program to one whose every sum is exact, and how alike they are."""

from ._agreement import Agreement, agreement
from ._transform import quantise

__all__ = ["Agreement", "agreement", "quantise"]
