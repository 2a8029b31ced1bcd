"""`ProxyModel`: an ANN and an SNN with one architecture and one set of weights."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras

from .basics.checks import check_choice
from .basics.quiet import start_tensorflow
from .cnn.build import Threshold, layer_thresholds
from .mapping.twin import neuron_layers, spiking_twin
from .neurons.neuron import Neuron
from .simulation.network import SpikingNetwork
from .simulation.summary import stages_table
from .training.inputs import CheckedInputs
from .training.learning import ProxyLearning
from .training.saved import WholeFiles, without_compilation

__all__ = ["ProxyModel", "check_proxy_model"]

_SHARED = (
    "Both networks share these parameters. Keras's total adds the values that the optimizer keeps."
)
# Formats of `keras.Model.export`; the package's own writers handle the other formats.
_KERAS_FORMATS = ("tf_saved_model", "openvino", "torch")


@keras.saving.register_keras_serializable(package="keras_proxy_snn")
class ProxyModel(WholeFiles, CheckedInputs, ProxyLearning):
    """A spiking network and its proxy, trained together.

    The SNN of integrate-and-fire neurons and the ANN of ReLU neurons share their layers. In
    training, both run forward independently. The SNN's spike counts replace the ANN's output, the
    loss is computed from these counts, and its gradient flows back through the ANN (section 4 of
    Kheradpisheh et al., "Spiking neural networks trained via proxy"; see
    `keras_proxy_snn.training.gradient.proxy_gradient`). Calls, evaluation and prediction use the
    SNN.

    The logs of `fit` hold loss and metrics, and two further values. `rate_<layer>` is the firing
    rate of each layer, in spikes per neuron and step. `proxy_distance` is the mean cosine distance
    between spike counts and the ANN's output: 0 if both agree in direction, 1 if they are
    unrelated. It leaves out images without a spike in the readout; an untrained network often has
    such images. It is 1 if no image of the epoch has one.

    Each argument after `ann` is an attribute too. `time_steps`, `chunk_steps`, `readout`,
    `proxy_activation`, `event_driven`, `input_range` and `class_names` can be set at any time,
    after training too; the other arguments cannot be set.

    Args:
        ann: The proxy, a built `keras.Sequential` or functional model; see
            `keras_proxy_snn.mapping.twin.spiking_twin` for the layers that it can have. A softmax
            at its end is left out of the gradient, because spike counts have no softmax. Layers
            that prepare or augment images run once for both networks.
        time_steps: Number T of time steps.
        v_threshold: Threshold of the IF neurons: a positive number, or a mapping from names of
            the ANN's layers to such numbers (1 for layers that it does not name).
        reset: `"zero"` (the paper) or `"subtract"`.
        v_0: Potential before the first step as a fraction of the threshold: 0 (the paper) up to
            1; see `keras_proxy_snn.layers.IF`.
        readout: Output of the model for each class: `"counts"`, the readout's spike counts (the
            paper); or `"potential"`, counts plus remaining potential over threshold. With
            `reset="subtract"`, the latter equals the current summed over time plus the initial
            potential, over the threshold.
        spike_height: Value of a spike in the next layer: `"one"` (the paper), or `"threshold"`,
            the threshold of its neuron. Use the latter with thresholds calibrated to a trained
            CNN; see `keras_proxy_snn.mapping.twin.spiking_twin`.
        chunk_steps: Number of time steps simulated at once. It changes speed and memory, but not
            spikes. `None`: chosen from batch, layers and device.
        events: Whether inputs are frames of events, one per time step, instead of images. The SNN
            reads the frames one after another. The ANN, and thus the gradient, reads their average
            over time. This proxy is good if the average determines the class: IF neurons add up
            their currents, and with `reset="subtract"` the number of spikes depends little on when
            the currents arrive. The proxy is poor if the order of frames matters (movements to the
            left and to the right have the same average), if most events come in few steps, or if
            currents cancel over time (a neuron cannot take a spike back). `proxy_distance` in the
            logs shows how far the two outputs are apart.
        proxy_activation: Activations of the ANN while it is the proxy. `None`: its own. `"clip"`:
            bounded at the rate that an IF neuron can reach. `"qcfs"`: also rounded to the T steps
            of this rate, see `keras_proxy_snn.training.responses.response`. `ann` is left as it is.
        current_dtype: `"float32"` or `"bfloat16"`, the dtype in which hidden layers sum their
            weighted spikes. `"bfloat16"` has a precision of 8 bits; it is faster on processors
            with bfloat16 units and changes some spikes. Potentials stay float32, and exported
            files compute in float32.
        event_driven: Whether hidden layers add weights spike by spike on the CPU, in time
            proportional to the number of spikes; `"auto"`: where that is faster. See
            `keras_proxy_snn.simulation.network.SpikingNetwork`.
        input_range: Values of black and white in the network's images, such as `(0, 255)`. `None`:
            taken from a `Rescaling` at the ANN's input or from the images of the first `fit`, else
            `(0, 1)`. `fit` warns about images of another range.
        class_names: Names of the classes, kept in saved and exported files. `None`: taken from the
            data of the first `fit`, if they have an attribute `class_names`, as those of
            `keras_proxy_snn.datasets.from_folder` and of Keras's `image_dataset_from_directory`.
        **kwargs: Arguments of `keras.Model`, such as `name`.

    Attributes:
        ann: The proxy, an ordinary Keras model.
        snn: The spiking network, `keras_proxy_snn.simulation.network.SpikingNetwork`.
        twin: Relation of both networks, `keras_proxy_snn.mapping.twin.SpikingTwin`.

    Call arguments:
        inputs: Images `(batch, height, width, channels)`, as for the ANN; with `events`, frames
            `(batch, time, height, width, channels)`.
        training: With `True`, the output has the gradient of the proxy.

    Output shape:
        Scores of the classes `(batch, classes)`, float32. They are spike counts, which are whole
        numbers; with `readout="potential"`, counts plus remaining potential over threshold.

    Raises:
        ValueError: If a layer of the ANN has no spiking counterpart, or an argument is out of
            range.

    Example:

    >>> import numpy as np
    >>> import keras_proxy_snn
    >>> ann = keras_proxy_snn.build_ann(keras_proxy_snn.parse_spec("4C3-P2-10F"), (8, 8, 1))
    >>> model = keras_proxy_snn.ProxyModel(ann, time_steps=6)
    >>> model.compile("adam", keras_proxy_snn.SpikeCountCrossentropy())
    >>> x, y = np.random.rand(4, 8, 8, 1), np.array([0, 1, 2, 3])
    >>> history = model.fit(x, y, verbose=0)
    >>> model.predict(x, verbose=0).shape
    (4, 10)
    """

    def __init__(
        self,
        ann: keras.Model,
        time_steps: int,
        v_threshold: Threshold = 1.0,
        reset: str = "zero",
        chunk_steps: int | None = None,
        *,
        v_0: float = 0.0,
        readout: str = "counts",
        spike_height: str = "one",
        events: bool = False,
        proxy_activation: str | None = None,
        current_dtype: str = "float32",
        event_driven: bool | str = False,
        input_range: tuple[float, float] | None = None,
        class_names: Sequence[str] | None = None,
        **kwargs: Any,
    ):
        thresholds = layer_thresholds(v_threshold, neuron_layers(ann))
        neurons = {layer: Neuron(theta, reset, v_0) for layer, theta in thresholds.items()}
        twin = spiking_twin(ann, neurons, spike_height, current_dtype)
        shape = twin.graph.input_shape
        snn = SpikingNetwork(
            twin.nodes, shape, time_steps, chunk_steps, events, event_driven, name="snn"
        )
        # The SNN needs images in float32, whatever the policy of the ANN, so nothing is cast here.
        kwargs.setdefault("dtype", getattr(ann, "dtype_policy", None))
        super().__init__(ann, twin, snn, autocast=False, **kwargs)
        self.readout = readout
        self.proxy_activation = proxy_activation
        self.input_range = input_range
        self.class_names = class_names
        # `build` is too late: after it, Keras refuses layers and metrics of a subclass.
        self.built = True

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Nothing to build: both networks have their weights already."""
        self.built = True

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """`(batch, classes)`."""
        return self.snn.compute_output_shape(input_shape)

    def evaluate(self, *args: Any, time_steps: int | None = None, **kwargs: Any) -> Any:
        """As `keras.Model.evaluate`; `time_steps` sets another T for this call only."""
        with self.at_time_steps(time_steps):
            return super().evaluate(*args, **kwargs)

    def predict(self, *args: Any, time_steps: int | None = None, **kwargs: Any) -> Any:
        """As `keras.Model.predict`: scores by `readout`; `time_steps` as in `evaluate`."""
        with self.at_time_steps(time_steps):
            return super().predict(*args, **kwargs)

    def summary(
        self,
        line_length: int | None = None,
        positions: Sequence[float] | None = None,
        print_fn: Callable[[str], Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Print the stages of the spiking network, then Keras's table of both networks.

        Args:
            line_length: Width of Keras's table.
            positions: Columns of Keras's table.
            print_fn: Function that gets the text in place of the screen.
            **kwargs: Further arguments of `keras.Model.summary`; `expand_nested=True` shows the
                layers of the ANN.
        """
        (print_fn or print)(f"{stages_table(self.snn)}\n{_SHARED}\n")
        super().summary(line_length, positions, print_fn, **kwargs)

    def export(self, filepath: str | Path, format: str | None = None, **options: Any) -> Any:
        """Write the spiking network for a device, and check the file in its real runtime.

        Args:
            filepath: Path of the new file.
            format: `"onnx"`, `"litert"`, `"nir"` or `"c"`; by default the suffix `.onnx`,
                `.tflite`, `.nir` or `.c` decides. See `keras_proxy_snn.export.export`. The formats
                `"tf_saved_model"`, `"openvino"` and `"torch"` are written by `keras.Model.export`
                and not checked.
            **options: Further arguments of `keras_proxy_snn.export.export`, such as `quantise`,
                `calibration`, `test` and `verbose`; for Keras's formats, arguments of Keras.

        Returns:
            `keras_proxy_snn.export.Exported`; `None` for Keras's formats.
        """
        self.check_ann()
        if format in _KERAS_FORMATS:
            image = keras.InputSpec(dtype="float32", shape=(None, *self.snn.input_shape_of_one))
            signature = options.pop("input_signature", [image])
            return super().export(filepath, format=format, input_signature=signature, **options)
        # The only import of a higher room. It is inside the function, so the core needs no export.
        from .export import FORMATS, export

        check_choice("format", format, (None, *FORMATS, *_KERAS_FORMATS))
        return export(self, filepath, format=format, **options)

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments, the ANN serialised whole."""
        self.check_ann()
        start_tensorflow()
        return {
            "ann": keras.saving.serialize_keras_object(self.ann),
            "time_steps": self.time_steps,
            "v_threshold": self.v_threshold,
            "reset": self.reset,
            "v_0": self.v_0,
            "readout": self.readout,
            "spike_height": self.spike_height,
            "events": self.events,
            "proxy_activation": self.proxy_activation,
            "chunk_steps": self.chunk_steps,
            "current_dtype": self.current_dtype,
            "event_driven": self.event_driven,
            "input_range": self._input_range,
            "class_names": self.class_names,
            "name": self.name,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "ProxyModel":
        """Recreate the model, without what its ANN was compiled with; Keras loads the weights."""
        ann = keras.saving.deserialize_keras_object(without_compilation(config["ann"]))
        return cls(**{**config, "ann": ann})


def check_proxy_model(model: object) -> None:
    """Raise a `TypeError` unless an argument `model` is a `ProxyModel`.

    Example:

    >>> from keras_proxy_snn.model import check_proxy_model
    >>> check_proxy_model("digits.keras")
    Traceback (most recent call last):
    TypeError: `model` must be a ProxyModel. Received: 'digits.keras'.
    """
    if not isinstance(model, ProxyModel):
        cure = "; from_keras makes one of a CNN" if isinstance(model, keras.Model) else ""
        raise TypeError(f"`model` must be a ProxyModel{cure}. Received: {model!r}.")
