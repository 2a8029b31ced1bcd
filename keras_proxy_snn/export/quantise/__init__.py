"""Integer networks: a float program with rounded weights, whose every sum is then exact."""

from ._agreement import Agreement, agreement
from ._transform import quantise

__all__ = ["Agreement", "agreement", "quantise"]
