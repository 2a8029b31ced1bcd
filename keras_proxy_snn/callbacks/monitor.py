"""`ProxyMonitor` warns before proxy learning collapses, and names the cure."""

import math
from typing import Any

import keras

from .. import statistics
from ..basics.checks import check_flag, positive_integer
from ..basics.types import Images
from ..basics.warn import warn
from ..model import ProxyModel

__all__ = ["CollapseWarning", "ProxyMonitor"]

_FIRST_BATCHES = 10


class CollapseWarning(UserWarning):
    """Firing rates or the proxy's distance show that training fails, or maps never spike."""


class ProxyMonitor(keras.callbacks.Callback):
    """Watch firing rates and the distance between SNN and ANN in the training logs.

    An IF neuron fires at most once per step, but the output of a ReLU has no limit. With a small
    threshold or few time steps, weights can grow until rates approach 1. Then the ANN no longer
    describes the SNN, and accuracy falls to chance. A layer that falls silent silences all layers
    after it. The logs show both before the accuracy falls.

    The monitor warns once per layer and once for the distance, and names the cure. Of several
    silent layers it names only the first, which is the cause. It reads the logs that a `ProxyModel`
    writes, which are averages over the epoch so far. It warns at the end of an epoch whose average
    is out of range. The first epoch is checked only if it has ten batches or more, because a fresh
    network has hardly learned in fewer batches. A `fit` with `initial_epoch` continues a training,
    so no warning is repeated.

    A layer can fire well while some of its maps (the outputs of a filter) never do. With `images`,
    the monitor simulates these images after each epoch. It warns once per convolutional layer, and
    gives the indices of the maps without a spike. Such maps do no harm, so they do not stop the
    training.

    Args:
        images: Some dozen images `(images, height, width, channels)`, or `None` to look for no dead
            maps. They need as much memory as `statistics.record`.
        max_rate: Warn above this firing rate, in spikes per neuron and step.
        min_rate: Warn below this firing rate.
        max_distance: Warn above this mean cosine distance between spike counts and the
            ANN's output.
        patience: Number of consecutive batches after which it warns before the epoch ends.
        stop: Whether to stop the training at the first warning. A warning of dead maps does not
            stop it.

    Attributes:
        warned: Names in the logs (`"rate_conv1"`, `"proxy_distance"`) that it has warned of.
        dead_maps: Name of each convolutional layer to the indices of its maps without a spike on
            `images`, after the last epoch.

    Raises:
        ValueError: If a bound is out of range, or the model logs no rates.

    Example:

    >>> import keras_proxy_snn
    >>> monitor = keras_proxy_snn.ProxyMonitor(stop=True)
    >>> (x, y), _ = keras_proxy_snn.datasets.load("digits")
    >>> model = keras_proxy_snn.build("digits")
    >>> history = model.fit(x[:320], y[:320], callbacks=[monitor], verbose=0)
    >>> monitor.warned
    []
    """

    def __init__(
        self,
        max_rate: float = 0.6,
        min_rate: float = 1e-4,
        max_distance: float = 0.5,
        patience: int = 50,
        stop: bool = False,
        *,
        images: Images = None,
    ):
        super().__init__()
        if not 0 <= min_rate < max_rate <= 1:
            raise ValueError(
                "Rates must satisfy 0 <= min_rate < max_rate <= 1. "
                f"Received: min_rate={min_rate!r}, max_rate={max_rate!r}."
            )
        if not 0 < max_distance <= 1:
            raise ValueError(f"`max_distance` must be in (0, 1]. Received: {max_distance!r}.")
        self.max_rate, self.min_rate, self.max_distance = max_rate, min_rate, max_distance
        self.patience = positive_integer("patience", patience)
        self.stop = check_flag("stop", stop)
        self.images = images
        self._forget()

    def __repr__(self) -> str:
        """The bounds, and what it has warned of."""
        bounds = ("max_rate", "min_rate", "max_distance", "patience", "stop")
        given = ", ".join(f"{name}={getattr(self, name)!r}" for name in bounds)
        return f"<ProxyMonitor {given}, warned={self.warned!r}>"

    def _forget(self) -> None:
        self.warned: list[str] = []
        self.dead_maps: dict[str, tuple[int, ...]] = {}
        self._told: set[str] = set()
        self._out_of_range: dict[str, int] = {}
        self._batches = 0
        self._is_first = True

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Start anew with the first epoch of a training."""
        self._is_first = epoch == 0
        if self._is_first:
            self._forget()

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Check the averages of the epoch so far."""
        self._batches += 1
        self._look(logs or {}, weight=1)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Check the averages of the whole epoch."""
        enough = epoch > 0 or self._batches >= _FIRST_BATCHES
        self._look(logs or {}, weight=self.patience if enough else 0)
        if self.images is not None:
            self._look_at_maps(enough)

    def _look_at_maps(self, tell: bool) -> None:
        seen = statistics.record(self.model, self.images).values()
        # Each neuron of a dense layer would be a map of its own.
        layers = [layer for layer in seen if layer.maps < layer.neurons]
        self.dead_maps = {layer.name: layer.dead_maps for layer in layers}
        for layer in layers:
            # The rate already shows a layer that is silent as a whole.
            some = 0 < len(layer.dead_maps) < layer.maps
            if tell and some and layer.name not in self._told:
                self._told.add(layer.name)
                warn(
                    f"Layer {layer.name!r}: {layer.dead_maps_in_words} did not spike on any of "
                    f"the {len(self.images)} images. A map without spikes costs work and carries "
                    "nothing. Cure: a lower `v_threshold` or learning rate; or fewer filters, if "
                    "this stays so.",
                    CollapseWarning,
                )

    def _look(self, logs: dict[str, Any], weight: int) -> None:
        if "proxy_distance" not in logs:
            raise ValueError(
                "ProxyMonitor can watch only the training of a ProxyModel, whose logs hold "
                f"'proxy_distance' and 'rate_<layer>'. Received: logs with {sorted(logs)}."
            )
        silent = [name for name in logs if self._is_silent(name, float(logs[name]))]
        rates = [name for name in logs if name.startswith("rate_")]
        readout_is_silent = bool(rates) and rates[-1] in silent
        for name, value in logs.items():
            # The layers are in order. Layers after a silent layer get no spikes, and without spikes
            # of the readout there is no answer to compare.
            is_effect = name in silent[1:] or (name == "proxy_distance" and readout_is_silent)
            message = None if is_effect else self._complaint(name, float(value), silent[1:])
            seen = self._out_of_range.get(name, 0) + weight if message else 0
            self._out_of_range[name] = seen
            if message and seen >= self.patience and name not in self.warned:
                self.warned.append(name)
                warn(message, CollapseWarning)
                self.model.stop_training |= self.stop

    def _is_silent(self, name: str, value: float) -> bool:
        return name.startswith("rate_") and not value >= self.min_rate  # NaN is not a rate

    def _complaint(self, name: str, value: float, silent_after: list[str]) -> str | None:
        layer = name.removeprefix("rate_")
        threshold = "readout_v_threshold" if layer == "readout" else "v_threshold"
        if name.startswith("rate_") and value > self.max_rate:
            return (
                f"Layer {layer!r} fires at a rate of {value:.2f} spikes per neuron and step (limit "
                f"{self.max_rate}). At rates near 1, spikes carry no information and training "
                f"collapses. Cure: {_cure(self.model, threshold)}"
            )
        if self._is_silent(name, value):
            names = ", ".join(name.removeprefix("rate_") for name in silent_after)
            after = f"So {names} are silent too. " if names else ""
            return (
                f"Layer {layer!r} is silent: a rate of {value:.1e} spikes per neuron and step "
                f"(limit {self.min_rate:.1e}). {after}Cure: kernel_initializer='rate_preserving', "
                f"a lower `{threshold}`, or more `time_steps`."
            )
        if name == "proxy_distance" and (math.isnan(value) or value > self.max_distance):
            often = "In the first epoch this often passes by itself. " if self._is_first else ""
            return (
                f"SNN and ANN have drifted apart: cosine distance {value:.2f} (limit "
                f"{self.max_distance}), so the proxy's gradients say little about the SNN. {often}"
                f"Cure: {_cure(self.model, 'v_threshold')}"
            )
        return None


def _cure(model: ProxyModel, threshold: str) -> str:
    """What would change this model: no setting that it has already."""
    cures, layers = [], model.ann.layers
    if any(isinstance(layer, keras.layers.ReLU) and layer.max_value is None for layer in layers):
        cures.append(
            "`proxy_activation='clip'`, which bounds the proxy at the rate an IF neuron can reach"
        )
    cures += [f"a higher `{threshold}` with more `time_steps`", "a lower learning rate"]
    if not any(isinstance(layer, keras.layers.BatchNormalization) for layer in layers):
        cures.append("kernel_initializer='rate_preserving'")
    return "; or ".join(cures) + "."
