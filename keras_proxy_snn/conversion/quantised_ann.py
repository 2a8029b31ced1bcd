"""The proxy by itself, with the steps of its neurons."""

from typing import Any

import keras

from .._checks import positive_integer
from ..model import ProxyModel
from ..training.responses import proxy_output

__all__ = ["QuantisedANN"]


class QuantisedANN(keras.Model):
    """The ANN of a `ProxyModel`, its activations in the steps that IF neurons can follow.

    To train it is to make the ANN one whose activations survive in few spikes (the QCFS activation
    of Bu et al., "Optimal ANN-SNN conversion for high-accuracy and ultra-low-latency spiking neural
    networks", 2022, see `keras_proxy_snn.training.responses.response`). Nothing is simulated, so
    that costs about as much as to train the CNN itself, and deep CNNs need it before the proxy can
    follow their spikes. It has the very layers of the model, which learns with it:

        QuantisedANN(model, levels=4)   train this first, batch normalisation and all
        calibrate_biases(model, x)      then its biases, for rates that are right in the mean
        model                           then this, for the spikes as they come

    In training `v_0` is dithered, drawn from [0, 1) for each activation, so that it is rounded up
    or down by chance and right in the mean: spikes of deep layers come unevenly, one more or
    less than a constant current would give. Without, an ANN learns what only its own steps do.

    Args:
        model: The model. Its thresholds and `v_0` are those of the activations here.
        levels: Number L of steps of an activation; the model's T if not given. Fewer than T leave
            more room for spikes that come unevenly.
        dither: Whether to round by chance in training.
        seed: Seed of that chance; if not given, one drawn from Keras's global generator.
        **kwargs: Arguments of `keras.Model`, such as `name`.

    Call arguments:
        inputs: Images, as the model takes them.
        training: Whether layers such as batch normalisation and augmentation train.

    Output shape:
        Logits `(batch, classes)`; a softmax at the end of the ANN is left out.

    Raises:
        ValueError: If `levels` is not a positive integer.

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
        levels = model.time_steps if levels is None else positive_integer("levels", levels)
        kwargs.setdefault("dtype", model.dtype_policy)
        super().__init__(autocast=False, **kwargs)
        self.levels = levels
        self.dither = dither
        self._chance = keras.random.SeedGenerator(seed)
        self.model = model
        self.built = True

    def call(self, inputs: Any, training: bool | None = None) -> Any:
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
