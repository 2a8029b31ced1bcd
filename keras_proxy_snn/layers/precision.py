"""The dtype in which hidden layers sum weighted spikes."""

import keras

from ..basics.processor import gpu_name, has_bfloat16
from ..basics.warn import warn

__all__ = ["warn_if_slow"]


def warn_if_slow() -> None:
    """Warn of currents in bfloat16 on a processor that has to emulate bfloat16.

    `benchmarks/NOTES.md` has the measurements. JAX was not slower.
    """
    emulates = has_bfloat16() is False and keras.config.backend() != "jax"
    if emulates and gpu_name() is None:
        warn(
            "current_dtype='bfloat16' is slow here, because this processor has no bfloat16 units: "
            "convolutions take 3 to 7 times as long as in float32. Use current_dtype='float32'.",
        )
