"""A layer whose `call` was replaced by hand is not taken for its class."""

import keras
import pytest
from keras import layers

import keras_proxy_snn as kps


def cnn(layer):
    stack = [keras.Input((4, 4, 1)), layer, layers.Flatten(), layers.Dense(2, name="readout")]
    return keras.Sequential(stack)


@pytest.mark.filterwarnings("ignore:The network can be trained and saved")
@pytest.mark.parametrize(
    "layer",
    [
        lambda: layers.Conv2D(1, 3, padding="same", name="odd"),
        lambda: layers.ReLU(name="odd"),
        lambda: layers.MaxPooling2D(1, name="odd"),
        lambda: layers.BatchNormalization(name="odd"),
        lambda: layers.Rescaling(0.5, name="odd"),
        lambda: layers.Dropout(0.5, name="odd"),
        lambda: keras.Sequential([keras.Input((4, 4, 1)), layers.ReLU()], name="odd"),
    ],
    ids=["Conv2D", "ReLU", "MaxPooling2D", "BatchNormalization", "Rescaling", "Dropout", "model"],
)
def test_a_replaced_call_is_refused_by_name(layer):
    layer = layer()
    model = cnn(layer)
    kps.from_keras(model, 2)
    own = layer.call
    layer.call = lambda x, **options: x * 2
    with pytest.raises(ValueError, match=r"layer 'odd' \(.*\), whose `call` was replaced"):
        kps.from_keras(model, 2)
    layer.call = own  # the method of its class, as Keras's GPTQ puts it back
    kps.from_keras(model, 2)


def test_a_replaced_call_of_a_twin_or_a_whole_model_is_refused():
    dense = layers.Dense(2, name="twin")
    dense.call = abs
    with pytest.raises(ValueError, match=r"'twin'.*replaced"):
        kps.layers.IFDense(twin=dense)
    norm = layers.BatchNormalization(name="norm")
    norm.call = abs
    with pytest.raises(ValueError, match=r"'norm'.*replaced"):
        kps.layers.IFDense(2, batch_norm=norm)
    model = cnn(layers.ReLU())
    model.call = abs
    with pytest.raises(ValueError, match="whose `call` was replaced"):
        kps.from_keras(model, 2)
