from ._agreement import Agreement, agreement
from ._transform import quantise

__all__ = ["Agreement", "agreement", "quantise"]
