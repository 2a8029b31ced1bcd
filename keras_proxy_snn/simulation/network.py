"""`SpikingNetwork`: layers of IF neurons, simulated over time in chunks of steps."""

from collections.abc import Iterator, Sequence
from typing import Any

import keras
from keras import ops

from ..basics.arrays import check_finite
from ..basics.checks import check_flag, check_shape, positive_integer
from ..basics.types import Images, Tensor
from ..layers.base import TiedIF
from .chunks import check_chunk_steps, images_at_once, joined
from .event_driven import EventDriven, check_event_driven
from .loop import Loop, Simulation
from .nodes import Node, as_nodes
from .traces import Retraced
from .wiring import Wiring

__all__ = ["SpikingNetwork"]

_FIXED = ("name", "dtype_policy", "stages", "nodes", "image_shape", "events")
_MOST_STEPS = 2**31 - 1  # Counters of steps have 32 bits.


@keras.saving.register_keras_serializable(package="keras_proxy_snn")
class SpikingNetwork(Retraced, fixed=_FIXED):
    """IF layers, spike pooling and a readout, run for T time steps on a constant image.

    The stages are a chain, or a graph without loops in which each stage names its inputs. Signals
    that depend only on the image, up to the currents of the first neurons, are computed once
    (direct coding, Eq. 6 of Kheradpisheh et al., "Spiking neural networks trained via proxy").
    Time advances in chunks of `chunk_steps` steps. Inside a chunk, the steps are folded into the
    batch, so each layer is one large operation. Between chunks, only the potentials are kept.
    Memory does not grow with T. The simulation is never differentiated.

    Args:
        stages: Spiking layers in order, where each layer reads the layer before it; or objects of
            `keras_proxy_snn.simulation.nodes.Node` that name their inputs, as
            `keras_proxy_snn.mapping.twin.spiking_twin` makes them. The last is the readout.
        input_shape: `(height, width, channels)` of the images, in pixels.
        time_steps: Number T of time steps.
        chunk_steps: Number k of steps simulated at once. It changes speed and memory, but not
            spikes. `None`: chosen from batch, layers and device at each run.
        events: Whether inputs are frames of spikes (or other values), one per time step, as from
            event cameras, instead of images.
        event_driven: Whether layers add weights spike by spike on the CPU, in time proportional to
            the number of spikes: convolutions without groups and dense layers, if inputs are spikes
            and outputs a multiple of 16. It needs Numba. The order of additions differs, so
            rounding may change a spike. `"auto"`: where that is faster, see `event_driven.faster`.
        **kwargs: Arguments of `keras.Model`, such as `name`.

    Call arguments:
        inputs: Images `(batch, height, width, channels)`; with `events`, T frames
            `(batch, time, height, width, channels)`.
        return_simulation: Whether to return the whole `Simulation`, as `simulate` does.

    Output shape:
        Spike counts `(batch, classes)`, float32.

    Raises:
        ValueError: If `time_steps` or `chunk_steps` is not a positive integer; if layers augment
            `events` (each frame would be augmented differently); or if weights are summed in
            bfloat16 with `event_driven`.
        ModuleNotFoundError: If it runs with `event_driven` and Numba is not installed.

    Example:

    >>> import numpy as np
    >>> from keras_proxy_snn import build_ann, parse_spec
    >>> from keras_proxy_snn.mapping.twin import spiking_twin
    >>> from keras_proxy_snn.simulation.network import SpikingNetwork
    >>> ann = build_ann(parse_spec("4C3-P2-10F"), (8, 8, 1))
    >>> snn = SpikingNetwork(spiking_twin(ann).nodes, (8, 8, 1), time_steps=6)
    >>> snn(np.zeros((2, 8, 8, 1), "float32")).shape == (2, 10)
    True
    """

    def __init__(
        self,
        stages: Sequence[keras.layers.Layer | Node],
        input_shape: tuple[int, ...],
        time_steps: int,
        chunk_steps: int | None = None,
        events: bool = False,
        event_driven: EventDriven = False,
        **kwargs: object,
    ):
        super().__init__(dtype="float32", **kwargs)
        nodes = as_nodes(stages)
        self.stages = [node.stage for node in nodes]
        self._wiring = Wiring(nodes, check_flag("events", events))
        self.image_shape = tuple(input_shape)
        self.time_steps = time_steps
        self.chunk_steps = chunk_steps
        self.event_driven = event_driven
        self.build((None, *input_shape))

    @property
    def time_steps(self) -> int:
        """Number T of time steps; can be set at any time."""
        return self._time_steps

    @time_steps.setter
    def time_steps(self, value: int) -> None:
        self._time_steps = positive_integer("time_steps", value, _MOST_STEPS)

    @property
    def chunk_steps(self) -> int | None:
        """Number k of steps simulated at once; `None` if it is chosen at each run."""
        return self._chunk_steps

    @chunk_steps.setter
    def chunk_steps(self, value: int | None) -> None:
        self._chunk_steps = check_chunk_steps(value)

    @property
    def event_driven(self) -> EventDriven:
        """Whether weights are added spike by spike, or `"auto"`; can be set at any time."""
        return self._event_driven

    @event_driven.setter
    def event_driven(self, value: EventDriven) -> None:
        self._event_driven = check_event_driven(value, self.nodes)

    def traced_settings(self) -> tuple[Any, ...]:
        """Settings on which a trace depends: T, length of a chunk and way of summing."""
        return self.time_steps, self.chunk_steps, self.event_driven

    @property
    def events(self) -> bool:
        """Whether inputs are frames of events."""
        return self._wiring.events

    @property
    def input_shape_of_one(self) -> tuple[int, ...]:
        """Shape of one image, or of the frames of one sample."""
        return (self.time_steps, *self.image_shape) if self.events else self.image_shape

    @property
    def if_layers(self) -> list[TiedIF]:
        """Layers with neurons, in order."""
        return [stage for stage in self.stages if isinstance(stage, TiedIF)]

    @property
    def layers_of_maps(self) -> list[TiedIF]:
        """Layers whose neurons form maps, `(rows, columns, maps)`, in order."""
        shapes = zip(self.if_layers, self._state_shapes, strict=True)
        return [layer for layer, shape in shapes if len(shape) == 3]

    @property
    def nodes(self) -> tuple[Node, ...]:
        """Stages with the names of their inputs, in order."""
        return self._wiring.nodes

    @property
    def constant_stages(self) -> set[str]:
        """Names of stages whose signals do not change with time; `IMAGE` for the image."""
        return set(self._wiring.constant)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Build all stages and note the shapes of their potentials."""
        self._state_shapes = self._wiring.build(input_shape)
        self._loop = Loop(self._wiring, self._state_shapes)
        self.built = True

    def call(
        self, inputs: Tensor, return_simulation: bool = False, preprocessed: bool = False
    ) -> Any:
        """Spike counts of the readout; see the class."""
        simulation = self._run(inputs, preprocessed)
        return simulation if return_simulation else simulation.spike_counts

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """`(batch, classes)`."""
        return (input_shape[0], *self._state_shapes[-1])

    def preprocess(self, inputs: Tensor, training: bool = False) -> Any:
        """Images after the layers that scale or augment them.

        Args:
            inputs: Images `(batch, height, width, channels)`.
            training: Whether augmentation layers augment.

        Returns:
            Images for `simulate(..., preprocessed=True)`; the inputs without such layers.
        """
        self._check_images(inputs)
        if self.events:
            return self._image_signal(inputs, False)[1]
        for stage in self._wiring.preprocessing:
            inputs = stage.layer(inputs, training=training)
        return inputs

    def simulate(self, inputs: Tensor, preprocessed: bool = False) -> Simulation:
        """Run all T steps from the initial potentials.

        Args:
            inputs: Images `(batch, height, width, channels)`.
            preprocessed: Whether `inputs` come from `preprocess`.

        Returns:
            `Simulation`: spike counts, remaining potentials and firing rates.

        Raises:
            ValueError: If the shape is wrong, or an array has a pixel that is not a finite number.
        """
        check_finite(inputs)
        # `__call__` leaves the dtype scope of a mixed-precision caller, which halves weights' bits.
        simulation: Simulation = self(inputs, return_simulation=True, preprocessed=preprocessed)
        return simulation

    def _run(self, inputs: Tensor, preprocessed: bool) -> Simulation:
        prepared = self._wiring.prepare(*self._image_signal(inputs, preprocessed))
        images = images_at_once(inputs, self._state_shapes)
        return self._loop.run(prepared, images, *self.traced_settings())

    def walk(
        self, inputs: Tensor, chunk_steps: int | None = None, until: str | None = None
    ) -> Iterator[dict[str, tuple[Any, Any]]]:
        """Yield spikes and potentials of every stage, chunk by chunk, for inspection.

        Only one chunk is held at a time, so memory does not grow with T.

        Args:
            inputs: Images `(batch, height, width, channels)`.
            chunk_steps: Steps per chunk; the last may have fewer. `None` for the network's own.
            until: Name of the last stage to run; `None` for the readout.

        Yields:
            Name of each stage to a pair, in order: spikes (or currents) `(batch, steps, ...)`, and
            potentials `(batch, ...)` after the chunk's last step (`None` for a stage without
            neurons). Stages whose signals do not change with time are left out.

        Raises:
            ValueError: If `chunk_steps` is not a positive integer, or `until` is not the name of a
                stage whose signals change with time.
        """
        changing = list(self._wiring.changing)
        if until not in (None, *changing):
            raise ValueError(f"`until` must be one of {changing}. Received: {until!r}.")
        chunk_steps = check_chunk_steps(chunk_steps) or self.chunk_steps
        prepared = self._wiring.prepare(*self._image_signal(inputs, False))
        yield from self._loop.walk(prepared, self.time_steps, chunk_steps, until)

    def record(self, inputs: Tensor, return_potentials: bool = False) -> Any:
        """Spikes of every stage at every step, for inspection.

        Unlike `simulate`, this keeps all spikes, so memory grows with T. Use few images.

        Args:
            inputs: Images `(batch, height, width, channels)`.
            return_potentials: Whether to return potentials too. Time then advances step by step.

        Returns:
            Name of each stage to spikes `(batch, time, ...)`, in order. With `return_potentials`, a
            second mapping too: stages with neurons to potentials `(batch, time, ...)` per step.
        """
        # Without potentials, all steps are one chunk, so a graph traced from this has no loop.
        chunks = list(self.walk(inputs, 1 if return_potentials else self.time_steps))
        spikes = {name: joined([chunk[name][0] for chunk in chunks]) for name in chunks[0]}
        if not return_potentials:
            return spikes
        potentials = {
            layer.name: ops.stack([chunk[layer.name][1] for chunk in chunks], axis=1)
            for layer in self.if_layers
        }
        return spikes, potentials

    def _image_signal(self, inputs: Tensor, preprocessed: bool) -> tuple[str, Any]:
        if not preprocessed:
            self._check_images(inputs)
        return self._wiring.image_signal(ops.cast(inputs, self.compute_dtype), preprocessed)

    def _check_images(self, images: Images) -> None:
        name = "Frames, one for each time step," if self.events else "Images"
        check_shape(name, images, self.input_shape_of_one)

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments, with the complete configuration of each stage."""
        return {
            "stages": [keras.saving.serialize_keras_object(stage) for stage in self.stages],
            "inputs": tuple(node.inputs for node in self.nodes),
            "input_shape": self.image_shape,
            "time_steps": self.time_steps,
            "chunk_steps": self.chunk_steps,
            "events": self.events,
            "event_driven": self.event_driven,
            "name": self.name,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "SpikingNetwork":
        """Recreate the network from its configuration."""
        revive = keras.saving.deserialize_keras_object
        pairs = zip(config["stages"], config["inputs"], strict=True)
        stages = [Node(revive(stage), tuple(names)) for stage, names in pairs]
        return cls(stages, **{k: v for k, v in config.items() if k not in ("stages", "inputs")})
