"""Time of training and inference on this machine, for the SNN and for its ANN."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import keras
import numpy as np

from ..basics.checks import positive_integer
from ..basics.pixel_range import in_range
from ..basics.stopwatch import seconds_of
from ..model import ProxyModel
from ..training.losses import SpikeCountCrossentropy
from ._signals import check_model

__all__ = ["Timing", "measure"]


@dataclass(frozen=True, kw_only=True)
class Timing:
    """One thing that was timed.

    Attributes:
        what: `"training step"` or `"prediction"`.
        network: `"SNN"` (in training: with its proxy) or `"ANN"`, the ANN alone.
        time_steps: Number T of time steps; `None` for the ANN, which has none.
        batch_size: Images per call; with one image, the time is the latency.
        seconds: Time of each call, in the order of the calls.
    """

    what: str
    network: str
    time_steps: int | None
    batch_size: int
    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        """Median time of a call in seconds."""
        return float(np.median(self.seconds))

    @property
    def quartiles(self) -> tuple[float, float]:
        """First and third quartile of the times, in seconds."""
        low, high = np.percentile(self.seconds, [25, 75])
        return float(low), float(high)

    @property
    def images_per_second(self) -> float:
        """Images per second at the median time."""
        return self.batch_size / self.median

    def as_dict(self) -> dict[str, Any]:
        """Plain numbers for JSON, with the derived numbers."""
        derived = {
            "median": self.median,
            "quartiles": list(self.quartiles),
            "images_per_second": self.images_per_second,
        }
        return {**asdict(self), "seconds": list(self.seconds), **derived}


def measure(
    model: ProxyModel,
    *,
    batch_size: int = 100,
    time_steps: Sequence[int] | None = None,
    repeats: int = 10,
    seed: int = 0,
) -> list[Timing]:
    """Time a training step, predictions of a batch and predictions of one image.

    The function times Keras's `train_on_batch` and `predict_on_batch`, Python's share included,
    on random images and labels. Two calls come first and are not counted. A copy of the model is
    trained, so the model stays as it is. Nothing else should run on the machine.

    Args:
        model: Spiking network and proxy.
        batch_size: Images in a batch.
        time_steps: Every T to predict with; `None` for the model's own. Training uses the
            model's T.
        repeats: Number of timed calls.
        seed: Seed of the images and labels.

    Returns:
        `Timing`s: training of SNN and ANN, then predictions of a batch, then of one image.

    Raises:
        TypeError: If the model is not a `ProxyModel`.
        ValueError: If `batch_size`, `repeats` or a T is not a positive integer, or the model takes
            events.

    Example:

    >>> import keras_proxy_snn
    >>> from keras_proxy_snn.statistics.timing import measure
    >>> model = keras_proxy_snn.build("4C3-P2-10F", input_shape=(8, 8, 1), time_steps=2)
    >>> timings = measure(model, batch_size=2, repeats=1)
    >>> [(timing.what, timing.network) for timing in timings[:2]]
    [('training step', 'SNN'), ('training step', 'ANN')]
    """
    for name, value in (("batch_size", batch_size), ("repeats", repeats)):
        positive_integer(name, value)
    check_model(model)
    copy = _copy(model)
    rng = np.random.default_rng(seed)
    # In the network's range: with spikes added one by one, the time depends on their number.
    x = in_range(rng.random((batch_size, *copy.image_shape)), copy.input_range)
    y = rng.integers(0, copy.ann.output_shape[-1], batch_size)
    timings = _both(copy, [copy.time_steps], "training step", "train_on_batch", (x, y), repeats)
    chosen = time_steps or [copy.time_steps]
    for images in (x, x[:1]) if batch_size > 1 else (x,):
        timings += _both(copy, chosen, "prediction", "predict_on_batch", (images,), repeats)
    return timings


def _copy(model: ProxyModel) -> ProxyModel:
    """The same network with the same weights, SNN and ANN compiled to be trained."""
    copy: ProxyModel = type(model).from_config(model.get_config())
    copy.set_weights(model.get_weights())
    copy.compile("adam", SpikeCountCrossentropy())
    copy.ann.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return copy


def _both(
    model: ProxyModel,
    time_steps: Sequence[int],
    what: str,
    method: str,
    arguments: tuple[Any, ...],
    repeats: int,
) -> list[Timing]:
    """Time a method of the SNN at each T, then of the ANN."""
    timings = []
    for t in (*time_steps, None):
        network = model.ann if t is None else model
        if t is not None:
            model.time_steps = t
        timings.append(
            Timing(
                what=what,
                network="ANN" if t is None else "SNN",
                time_steps=t,
                batch_size=len(arguments[0]),
                # It returns NumPy arrays or plain numbers, so all its work is done then.
                seconds=seconds_of(partial(getattr(network, method), *arguments), repeats),
            )
        )
    return timings
