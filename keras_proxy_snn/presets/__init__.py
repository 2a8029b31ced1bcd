"""Presets as data, which `build.py` turns into models. An import of this file loads no backend."""

from collections.abc import Mapping
from dataclasses import dataclass

from ..basics.named import Named
from ..basics.tables import Table

__all__ = ["PRESETS", "PURPOSES", "Preset"]


@dataclass(frozen=True)
class Preset:
    """A named architecture with its hyperparameters.

    Attributes:
        spec: Architecture string, see `keras_proxy_snn.parse_spec`.
        input_shape: `(height, width, channels)` of the images, in pixels.
        time_steps: Number T of time steps.
        v_threshold: Threshold theta of the IF neurons, or a mapping from names of layers to
            thresholds (1 for other layers).
        readout_v_threshold: Threshold of the readout, if it differs. The softmax over spike counts
            is T / theta times as steep as the softmax over the readout's input currents.
        reset: `"zero"` (the paper) or `"subtract"`.
        v_0: Potential before the first step as a fraction of the threshold; 0 in the paper.
        learn_threshold: Whether all thresholds except the readout's are trained.
        readout: `"counts"` (the paper) or `"potential"`, see `keras_proxy_snn.ProxyModel`.
        proxy_activation: `"relu"` (the paper) or `"clip"`, see `keras_proxy_snn.build_ann`; or
            `"qcfs"`: the ANN is the same as with `"clip"`, but as the proxy it rounds activations
            to the T steps of the rate, see `keras_proxy_snn.ProxyModel`.
        readout_activation: `"relu"` (the paper) or `"linear"` (the authors' notebook).
        pooling: `"max"` (the paper; the OR of spikes) or `"average"`, see
            `keras_proxy_snn.build_ann`.
        kernel_initializer: Name of a Keras initializer of all weights, or `"rate_preserving"`, see
            `keras_proxy_snn.build_ann`. Networks without batch normalisation need the latter.
        use_bias: Whether layers have biases.
        batch_norm: Whether all layers except the readout are batch-normalised.
        loss: `"crossentropy"` (the paper) or `"mse"` (the authors' notebook).
        learning_rate: Adam's learning rate eta.
        beta_1: Adam's decay of the first moment.
        beta_2: Adam's decay of the second moment.
        epsilon: Adam's epsilon.
        l2: Penalty lambda * ||w||^2 on all weights.
        chunk_steps: Number of time steps simulated at once. It changes speed and memory, but not
            spikes. `None`: chosen from batch, layers and device.
        current_dtype: `"float32"` or `"bfloat16"`, see `keras_proxy_snn.ProxyModel`.
        event_driven: Whether hidden layers add weights spike by spike, or `"auto"`, see
            `keras_proxy_snn.ProxyModel`.
    """

    spec: str
    input_shape: tuple[int, int, int]
    time_steps: int = 20
    v_threshold: float | Mapping[str, float] = 1.0
    readout_v_threshold: float | None = None
    reset: str = "zero"
    v_0: float = 0.0
    learn_threshold: bool = False
    readout: str = "counts"
    proxy_activation: str = "clip"
    readout_activation: str = "linear"
    pooling: str = "max"
    kernel_initializer: str = "glorot_uniform"
    use_bias: bool = False
    batch_norm: bool = False
    loss: str = "crossentropy"
    learning_rate: float = 1e-3
    beta_1: float = 0.8
    beta_2: float = 0.99
    epsilon: float = 1e-7
    l2: float = 1e-5
    chunk_steps: int | None = None
    current_dtype: str = "float32"
    event_driven: bool | str = False


PURPOSES: dict[str, str] = {
    "fashion_mnist": "the paper's network for Fashion-MNIST (Table 1); wants a GPU",
    "cifar10": "the paper's network for CIFAR-10 (Table 1); needs a GPU",
    "cifar10_half": "half of the maps of cifar10, a quarter of its work; wants a GPU",
    "fashion_mnist_compact": "small grey pictures; for two processor cores",
    "cifar10_compact": "small pictures in colour; for two processor cores",
    "digits": "first tries and tests; half a minute",
}
"""What each preset is for, in a few words."""


class Presets(Named[Preset]):
    r"""Name to `Preset`; shown as a table of the names and what each preset is for.

    Example:

    >>> from keras_proxy_snn import PRESETS
    >>> print("\n".join(repr(PRESETS).splitlines()[:2]))
    Presets (all fields of one: PRESETS["digits"])
    preset                 images       T   for
    """

    def _table(self) -> Table:
        rows = [("preset", "images", "T", "for")]
        for name, preset in self.items():
            shape = " x ".join(map(str, preset.input_shape))
            rows.append((name, shape, str(preset.time_steps), PURPOSES.get(name, "")))
        return Table('Presets (all fields of one: PRESETS["digits"])', rows, 4)

    def __repr__(self) -> str:
        return str(self._table())

    def _repr_html_(self) -> str:
        return self._table().html()


PRESETS: dict[str, Preset] = Presets(
    # Table 1 of the paper. The paper has ReLU on the last layer too; this preset and the authors'
    # notebook do not. With it, a class whose output is not above 0 for any image has no gradient.
    fashion_mnist=Preset(
        "128C3-128C3-P2-128C3-P2-1024F-256F-10F",
        (28, 28, 1),
        time_steps=50,
        v_threshold=2.0,
        proxy_activation="relu",
        kernel_initializer="rate_preserving",
    ),
    cifar10=Preset(
        "256C3-512C3-P2-512C3-512C3-512C3-P2-256C3-1024F-512F-256F-10F",
        (32, 32, 3),
        time_steps=60,
        v_threshold=3.0,
        proxy_activation="relu",
        kernel_initializer="rate_preserving",
    ),
    # Half of the maps in every layer, so a quarter of the work.
    cifar10_half=Preset(
        "128C3-256C3-P2-256C3-256C3-256C3-P2-128C3-512F-256F-128F-10F",
        (32, 32, 3),
        time_steps=60,
        v_threshold=3.0,
        proxy_activation="relu",
        kernel_initializer="rate_preserving",
    ),
    # Sized for two CPU cores. The readout has a threshold of its own. With the threshold of the
    # other layers, the softmax over its counts would be 20 to 40 times as steep as the softmax over
    # its currents. It would saturate, and so would the counts of the leading classes.
    fashion_mnist_compact=Preset(
        "32C3-P2-64C3-P2-64C3-P2-128F-10F",
        (28, 28, 1),
        readout_v_threshold=20.0,
        reset="subtract",
        batch_norm=True,
    ),
    cifar10_compact=Preset(
        "32C3-P2-64C3-64C3-P2-128C3-P2-256F-10F",
        (32, 32, 3),
        readout_v_threshold=20.0,
        reset="subtract",
        batch_norm=True,
    ),
    digits=Preset(
        "16C3-32C3-P2-64F-10F",
        (8, 8, 1),
        v_threshold=0.5,
        readout_v_threshold=8.0,
    ),
)
