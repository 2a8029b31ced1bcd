"""`QuantisedANN`: train the proxy alone, with activations in the steps of its neurons."""

from typing import Any

import keras

from ..basics.checks import check_flag, positive_integer
from ..basics.types import Tensor
from ..model import ProxyModel, check_proxy_model
from ..training.inputs import CheckedInputs
from ..training.responses import proxy_output
from ..training.saved import WholeFiles, without_compilation

__all__ = ["QuantisedANN"]


@keras.saving.register_keras_serializable(package="keras_proxy_snn")
class QuantisedANN(WholeFiles, CheckedInputs):
    """The ANN of a `ProxyModel` with activations in the steps that IF neurons can follow.

    Trained this way, the ANN's activations can be expressed in few spikes (the QCFS activation of
    Bu et al., "Optimal ANN-SNN conversion for high-accuracy and ultra-low-latency spiking neural
    networks", 2022, see `keras_proxy_snn.training.responses.response`). There is no simulation,
    so the training costs about as much as the training of the CNN. Deep CNNs need it before the
    proxy can follow their spikes. It holds the layers of the model, so the model learns with it:

        QuantisedANN(model, levels=4)   train this first, with batch normalisation
        calibrate_biases(model, x)      then correct the mean rates
        model                           then train with real spikes

    In training `v_0` is dithered: it is drawn from [0, 1) for each activation. An activation is
    then rounded up or down at random, and right in the mean. Spikes of deep layers come unevenly,
    one more or one fewer than for a constant current, and dither prepares the ANN for this.

    Args:
        model: The model. The activations use its thresholds and its `v_0`.
        levels: Number L of steps of an activation; the model's T if not given. Fewer levels than
            T leave more room for uneven spikes.
        dither: Whether to round at random in training.
        seed: Seed of the rounding; if not given, it is drawn from Keras's global generator.
        **kwargs: Arguments of `keras.Model`, such as `name`.

    Call arguments:
        inputs: Images, as the model takes them.
        training: Whether layers such as batch normalisation and augmentation train.

    Output shape:
        Logits `(batch, classes)`; a softmax at the end of the ANN is left out.

    Attributes:
        model: As the argument; its range and names of classes are those of this network.
        levels: As the argument; can be set at any time.
        dither: As the argument; can be set at any time.

    Raises:
        TypeError: If `model` is no `ProxyModel`, or `dither` is not True or False.
        ValueError: If `levels` is not a positive integer, or images or labels are wrong, as in
            `ProxyModel`.

    Example:

    >>> import keras, numpy as np
    >>> import keras_proxy_snn as kps
    >>> cnn = kps.build_ann(kps.parse_spec("4C3-P2-10F"), (8, 8, 1))
    >>> model = kps.from_keras(cnn, time_steps=16)
    >>> ann = kps.QuantisedANN(model, levels=4)
    >>> ann.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    >>> x, y = np.random.rand(4, 8, 8, 1), np.array([0, 1, 2, 3])
    >>> history = ann.fit(x, y, verbose=0)
    >>> ann.predict(x, verbose=0).shape
    (4, 10)
    """

    def __init__(
        self,
        model: ProxyModel,
        levels: int | None = None,
        dither: bool = True,
        seed: int | None = None,
        **kwargs: Any,
    ):
        check_proxy_model(model)
        kwargs.setdefault("dtype", model.dtype_policy)
        super().__init__(autocast=False, **kwargs)
        self.levels = model.time_steps if levels is None else levels
        self.dither = dither
        self._seed, self._chance = seed, keras.random.SeedGenerator(seed)
        self.model = model
        self.built = True

    @property
    def levels(self) -> int:
        """Number L of steps of an activation; can be set at any time."""
        return self._levels

    @levels.setter
    def levels(self, value: int) -> None:
        self._levels = positive_integer("levels", value)

    @property
    def dither(self) -> bool:
        """Whether activations are rounded at random in training; can be set at any time."""
        return self._dither

    @dither.setter
    def dither(self, value: bool) -> None:
        self._dither = check_flag("dither", value)

    def holder(self) -> ProxyModel:
        """The model, which holds the shape, the range and the classes of images."""
        return self.model

    def traced_settings(self) -> tuple[Any, ...]:
        """Settings on which a trace depends."""
        return self.levels, self.dither, *self.model.traced_settings()

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Nothing to build: the model has its weights already."""
        self.built = True

    def call(self, inputs: Tensor, training: bool | None = None) -> Any:
        """Logits; see the class."""
        model, training = self.model, bool(training)
        images = model.ann_images(model.snn.preprocess(inputs, training=training))
        dithers = self.dither and training
        v_0 = self._draw if dithers else model.v_0
        return proxy_output(model.twin, images, "qcfs", self.levels, v_0, training)

    def _draw(self, shape: Any) -> Any:
        return keras.random.uniform(shape, seed=self._chance)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """`(batch, classes)`."""
        return self.model.compute_output_shape(input_shape)

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments, the model serialised whole."""
        return {
            "model": keras.saving.serialize_keras_object(self.model),
            "levels": self.levels,
            "dither": self.dither,
            "seed": self._seed,
            "name": self.name,
            "dtype": keras.saving.serialize_keras_object(self.dtype_policy),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "QuantisedANN":
        """Recreate the network, without what its model was compiled with."""
        model = keras.saving.deserialize_keras_object(without_compilation(config["model"]))
        return cls(**{**config, "model": model})
