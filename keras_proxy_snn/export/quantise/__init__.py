"""Integer networks: round the weights of a float program, so that every sum is exact."""

from ._agreement import Agreement, agreement
from ._transform import quantise

__all__ = ["Agreement", "agreement", "quantise"]
