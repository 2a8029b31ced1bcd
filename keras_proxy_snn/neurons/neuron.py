"""`Neuron`: threshold, reset and initial potential of a neuron as one checked value."""

from copy import copy
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np

from ..basics.checks import check_choice
from ..basics.types import Tensor

__all__ = ["LEAST_THRESHOLD", "MOST_THRESHOLD", "READOUTS", "RESETS", "Neuron"]

RESETS = ("zero", "subtract")
# Output of the last layer: spike counts, or counts plus remaining potential over threshold.
READOUTS = ("counts", "potential")
# Within these bounds, float32 can hold a threshold and its inverse.
LEAST_THRESHOLD, MOST_THRESHOLD = 2.0**-126, 2.0**126
_BELOW_ONE = 1 - 2.0**-25


@dataclass(frozen=True)
class Neuron:
    """An integrate-and-fire neuron without leak, with unit resistance.

    (Eq. 3 and 5 of Kheradpisheh et al., "Spiking neural networks trained via proxy".) With
    membrane potential v and input current I, both in units of the weights:

        v[0] = v_0 * v_threshold
        v[t] = v[t-1] + I[t]
        spike[t] = 1 if v[t] >= v_threshold else 0

    After a spike, the potential is set to zero (`reset="zero"`, the paper) or lowered by the
    threshold (`reset="subtract"`). `keras_proxy_snn.neurons.equations` computes these steps.

    Args:
        v_threshold: Potential at which the neuron fires, a positive number that float32 can hold.
        reset: `"zero"` or `"subtract"`.
        v_0: Potential before the first step as a fraction of the threshold, in [0, 1).

    Raises:
        ValueError: If an argument is out of range.

    Example:

    >>> from keras_proxy_snn.neurons.neuron import Neuron
    >>> neuron = Neuron(v_threshold=2.0, reset="subtract", v_0=0.5)
    >>> neuron.v_initial, neuron.subtracts
    (1.0, True)
    """

    v_threshold: float | Tensor = 1.0
    reset: str = "zero"
    v_0: float = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "v_threshold", _threshold(self.v_threshold))
        # What float32 rounds to 1 would fire without a current.
        if not _is_number(self.v_0) or not 0 <= self.v_0 < _BELOW_ONE:
            raise ValueError(
                "`v_0`, the potential before the first step as a fraction of the threshold, must "
                f"be in [0, 1). Received: {self.v_0!r}."
            )
        object.__setattr__(self, "v_0", float(self.v_0))
        check_choice("reset", self.reset, RESETS)

    @property
    def v_initial(self) -> Any:
        """Potential before the first step."""
        return self.v_0 * self.v_threshold

    @property
    def subtracts(self) -> bool:
        """Whether a spike lowers the potential by the threshold and keeps the excess."""
        return self.reset == "subtract"

    def at(self, v_threshold: float | Tensor) -> "Neuron":
        """The same neuron with another threshold, a scalar tensor or number, without a check."""
        neuron = copy(self)
        object.__setattr__(neuron, "v_threshold", v_threshold)
        return neuron


def _threshold(value: Any) -> float:
    if isinstance(value, np.floating):
        value = float(value)  # NumPy would round the limits to the type of the value
    if not _is_number(value) or not value > 0:
        raise ValueError(f"`v_threshold` must be a positive number. Received: {value!r}.")
    if not LEAST_THRESHOLD <= value <= MOST_THRESHOLD:
        # Python cannot print integers with thousands of digits.
        received = repr(value) if value < 1e300 else "a number above 1e300"
        raise ValueError(
            "`v_threshold` must be from 2^-126 to 2^126, about 1.2e-38 to 8.5e37, because "
            f"potentials are float32. Received: {received}."
        )
    return float(value)


def _is_number(value: object) -> bool:
    # `value == value` excludes NaN. The range excludes infinity and integers too large for float.
    return isinstance(value, Real) and not isinstance(value, bool) and value == value
