"""Settings of a `ProxyModel`; each is kept once, where it acts: in the SNN, a layer or the twin."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import keras

from ..basics.checks import check_choice
from ..basics.labels import checked_names
from ..basics.pixel_range import UNIT, check_range, warn_of_range
from ..basics.types import Images
from ..cnn.build import Threshold
from ..cnn.graph import structure
from ..mapping.twin import SpikingTwin
from ..neurons.neuron import READOUTS
from ..simulation.event_driven import EventDriven
from ..simulation.network import SpikingNetwork
from ..simulation.traces import Retraced
from .input_range import agreed_range, layers_range, peek, range_of
from .responses import RESPONSES

__all__ = ["Settings"]

# With these the layers are built.
_OF_LAYERS = ("v_threshold", "reset", "v_0", "spike_height", "events", "current_dtype")
_BUILT_WITH = (
    "because the layers of the model are built with it. Build another model: "
    "ProxyModel(model.ann, {name}={value!r}) has the same weights."
)
_SHARED = "because both networks share their layers. Build another ProxyModel. Received: {value!r}."
_FIXED = {
    **dict.fromkeys(_OF_LAYERS, _BUILT_WITH),
    **dict.fromkeys(("ann", "twin", "snn"), _SHARED),
    "dtype_policy": (
        "because it is the policy of the ANN, which is built. Build the ANN with another "
        "policy. Received: {value!r}."
    ),
    "name": (
        "because it is given when the model is built. Build another model: "
        "ProxyModel(model.ann, name={value!r}) has the same weights."
    ),
}


class Settings(Retraced, fixed=_FIXED):
    """A model of an ANN and an SNN that answers for the settings of both.

    Args:
        ann: The proxy.
        twin: Relation of both networks.
        snn: The spiking network.
        **kwargs: Arguments of `keras.Model`.
    """

    def __init__(self, ann: keras.Model, twin: SpikingTwin, snn: SpikingNetwork, **kwargs: object):
        super().__init__(**kwargs)
        self.ann = ann
        self.twin = twin
        self.snn = snn
        self._structure = structure(ann)
        self._input_range: tuple[float, float] | None = None
        self._class_names: tuple[str, ...] | None = None

    def check_ann(self) -> None:
        """Raise an error if the ANN got other layers or activations after the SNN was built.

        Raises:
            ValueError: If the ANN changed: the SNN still has the old layers.
        """
        if structure(self.ann) != self._structure:
            raise ValueError(
                "The ANN of a ProxyModel must keep its layers and activations, because the SNN has "
                f"them too. Build another ProxyModel from it. Received: a changed {self.ann!r}."
            )

    @property
    def v_threshold(self) -> Threshold:
        """Threshold of the IF neurons: a number, or a mapping by layer name if they differ."""
        thresholds = {layer.twin.name: layer.v_threshold for layer in self.snn.if_layers}
        different = set(thresholds.values())
        return different.pop() if len(different) == 1 else thresholds

    @property
    def reset(self) -> str:
        """Reset of all IF neurons: `"zero"` or `"subtract"`."""
        return self.snn.if_layers[-1].reset

    @property
    def v_0(self) -> float:
        """Potential of all IF neurons before the first step, as a fraction of the threshold."""
        return self.snn.if_layers[-1].v_0

    @property
    def spike_height(self) -> str:
        """Value of a spike in the next layer: `"one"` or `"threshold"`."""
        return self.twin.spike_height

    @property
    def current_dtype(self) -> str:
        """Dtype in which hidden layers sum weighted spikes: `"float32"` or `"bfloat16"`."""
        return self.twin.current_dtype

    @property
    def image_shape(self) -> tuple[int, ...]:
        """Shape of one image, or of the frames of one sample."""
        return self.snn.input_shape_of_one

    @property
    def classes(self) -> int:
        """Number of classes."""
        return int(self.ann.output_shape[-1])

    @property
    def events(self) -> bool:
        """Whether inputs are frames of events."""
        return self.snn.events

    @property
    def time_steps(self) -> int:
        """Number T of time steps; can be set at any time, after training too."""
        return self.snn.time_steps

    @time_steps.setter
    def time_steps(self, value: int) -> None:
        self.snn.time_steps = value

    @property
    def input_range(self) -> tuple[float, float]:
        """Values of black and white in the network's images; can be set at any time."""
        return self._input_range or layers_range(self.twin.graph) or UNIT

    @input_range.setter
    def input_range(self, value: tuple[float, float] | None) -> None:
        self._input_range = check_range(value)

    @property
    def knows_range(self) -> bool:
        """Whether a user or training images have said the range of images."""
        return self._input_range is not None

    def note_input_range(self, x: Images) -> Images:
        """Take the input range from training images; warn if they contradict the known range.

        Args:
            x: As in `fit`. Events and inputs that are not images leave the range as it is.

        Returns:
            `x`, or an equal replacement if reading from `x` uses it up.
        """
        if self.events or len(self.snn.image_shape) != 3:
            return x
        images, x = peek(x)
        self._input_range = agreed_range(self._input_range, self.twin.graph, images)
        return x

    def compare_range(self, x: Images) -> Images:
        """Warn of images that are far brighter or darker than the model's range, if it is known.

        Args:
            x: As in `predict`.

        Returns:
            `x`, or an equal replacement if reading from `x` uses it up.
        """
        known = self._input_range or layers_range(self.twin.graph)
        if known is None or self.events or len(self.image_shape) != 3:
            return x
        images, x = peek(x)
        warn_of_range(known, range_of(images))
        return x

    @property
    def class_names(self) -> tuple[str, ...] | None:
        """Names of the classes, or `None` if they are not known; can be set at any time."""
        return self._class_names

    @class_names.setter
    def class_names(self, value: Sequence[str] | None) -> None:
        self._class_names = None if value is None else checked_names(value, self.classes)

    @property
    def chunk_steps(self) -> int | None:
        """Number of steps simulated at once; `None` if chosen at each run. It can be set."""
        return self.snn.chunk_steps

    @chunk_steps.setter
    def chunk_steps(self, value: int | None) -> None:
        self.snn.chunk_steps = value

    @property
    def event_driven(self) -> EventDriven:
        """Whether hidden layers add weights spike by spike, or `"auto"`; can be set at any time."""
        return self.snn.event_driven

    @event_driven.setter
    def event_driven(self, value: EventDriven) -> None:
        self.snn.event_driven = value

    @property
    def readout(self) -> str:
        """Output for each class, `"counts"` or `"potential"`; can be set at any time."""
        return self._readout

    @readout.setter
    def readout(self, value: str) -> None:
        check_choice("readout", value, READOUTS)
        self._readout = value

    @property
    def proxy_activation(self) -> str | None:
        """Activations of the ANN while it is the proxy; can be set at any time."""
        return self._proxy_activation

    @proxy_activation.setter
    def proxy_activation(self, value: str | None) -> None:
        check_choice("proxy_activation", value, (None, *RESPONSES))
        self._proxy_activation = value

    def traced_settings(self) -> tuple[Any, ...]:
        """Settings on which a trace depends: SNN, readout, proxy activation and the variables."""
        # Keras's `quantize` and `enable_lora` replace the variable of a kernel by others.
        weights = tuple((weight.path, weight.dtype) for weight in self.ann.weights)
        return *self.snn.traced_settings(), self.readout, self.proxy_activation, weights

    @contextmanager
    def at_time_steps(self, time_steps: int | None) -> Iterator[None]:
        """Context with another T; `None` keeps the model's own.

        Example:

        >>> import keras_proxy_snn as kps
        >>> model = kps.build("digits")
        >>> with model.at_time_steps(4):
        ...     print(model.time_steps)
        4
        >>> model.time_steps
        20
        """
        usual = self.time_steps
        self.time_steps = usual if time_steps is None else time_steps
        try:
            yield
        finally:
            self.time_steps = usual

    def __repr__(self) -> str:
        return (
            f"<{type(self).__name__} name={self.name}, images {self.snn.image_shape}, "
            f"{self.classes} classes, time_steps={self.time_steps}, reset={self.reset!r}, "
            f"readout={self.readout!r}>"
        )
