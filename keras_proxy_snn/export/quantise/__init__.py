"""Integer networks: round the weights of a float program, so that every sum is exact."""

from ._agreement import Agreement, agreement
from ._transform import check_bits, quantise

__all__ = ["Agreement", "agreement", "check_bits", "quantise"]
