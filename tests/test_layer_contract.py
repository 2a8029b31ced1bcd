"""One table of all layers: what Keras asks of a layer, each of them keeps on this backend."""

import json

import keras
import numpy as np
import pytest

from keras_proxy_snn import layers
from keras_proxy_snn.layers import (
    IF,
    AtEachStep,
    CurrentSum,
    IFActivation,
    IFBatchNormalization,
    IFConv2D,
    IFDense,
    IFDepthwiseConv2D,
    IFSeparableConv2D,
    LearnedThreshold,
    SpikeConcatenate,
    SpikeFlatten,
    SpikePool2D,
    Synapses,
)
from keras_proxy_snn.methods.qcfs import QCFS

MAPS = (2, 3, 7, 6, 4)  # batch, time, height, width, channels
NEURONS = {"v_threshold": 0.5, "reset": "subtract", "v_0": 0.25}


def separable():
    return keras.layers.SeparableConv2D(3, 3, depth_multiplier=2)


# A layer, and the shapes of its inputs.
LAYERS = {
    "IF": (lambda: IF(return_state=True, **NEURONS), MAPS),
    "IF of a constant current": (lambda: IF(time_steps=5, return_state=True), (2, 4)),
    "IF with a learned threshold": (lambda: IF(LearnedThreshold(0.5)), (2, 3, 4)),
    "IFConv2D": (
        lambda: IFConv2D(3, (3, 2), strides=2, batch_norm=True, return_state=True, **NEURONS),
        MAPS,
    ),
    "IFConv2D of groups": (lambda: IFConv2D(4, 3, groups=2, input_scale=(1, 2, 3, 4)), MAPS),
    "IFConv2D of an image": (
        lambda: IFConv2D(2, 3, padding="same", current_dtype="bfloat16", time_steps=5),
        (2, 6, 5, 3),
    ),
    "IFDense": (lambda: IFDense(3, use_bias=False, return_state=True, **NEURONS), (2, 3, 5)),
    "IFDense of an image": (lambda: IFDense(3, batch_norm=True, time_steps=5), (2, 5)),
    "IFDepthwiseConv2D": (
        lambda: IFDepthwiseConv2D(twin=keras.layers.DepthwiseConv2D(3), batch_norm=True),
        MAPS,
    ),
    "IFSeparableConv2D": (lambda: IFSeparableConv2D(twin=separable(), **NEURONS), MAPS),
    "IFActivation": (lambda: IFActivation(twin=keras.layers.ReLU(), input_scale=0.75), MAPS),
    "IFBatchNormalization": (
        lambda: IFBatchNormalization(twin=keras.layers.BatchNormalization(), **NEURONS),
        MAPS,
    ),
    "Synapses": (lambda: Synapses(IFConv2D(3, 3, batch_norm=True)), MAPS),
    "AtEachStep": (lambda: AtEachStep(keras.layers.AveragePooling2D((3, 2), strides=2)), MAPS),
    "CurrentSum": (lambda: CurrentSum([2.0, (1, 2, 3, 4)]), MAPS, (2, 1, *MAPS[2:])),
    "SpikeConcatenate": (lambda: SpikeConcatenate(), MAPS, (2, 1, 7, 6, 2)),
    "SpikeConcatenate of a constant first": (
        lambda: SpikeConcatenate(axis=-2),
        (2, 1, 7, 2, 4),
        MAPS,
    ),
    "SpikeFlatten": (lambda: SpikeFlatten(), MAPS),
    "SpikePool2D": (lambda: SpikePool2D((3, 2), strides=1, padding="same"), MAPS),
    "LearnedThreshold": (lambda: LearnedThreshold(0.5), (2, 4)),
    "QCFS": (lambda: QCFS(levels=3, initial=2.0), (2, 4)),
}
# They belong to the ANN, so they compute in its dtype.
OF_THE_ANN = ("LearnedThreshold", "QCFS")


@pytest.fixture(params=LAYERS)
def case(request, rng):
    """The layer, its inputs, and its name in the table."""
    make, *shapes = LAYERS[request.param]
    inputs = [(rng.random(shape) < 0.4).astype("float32") for shape in shapes]
    return make(), inputs, request.param


def as_model(layer, inputs):
    symbolic = [keras.Input(x.shape[1:]) for x in inputs]
    return keras.Model(symbolic, layer(*symbolic))


def randomise(model, rng):
    model.set_weights([rng.uniform(0.25, 1.0, w.shape) for w in model.get_weights()])


def outputs_of(call):
    """All outputs as NumPy arrays."""
    return [keras.ops.convert_to_numpy(x) for x in keras.tree.flatten(call)]


def assert_equal(one, other):
    assert len(one) == len(other)
    for a, b in zip(one, other, strict=True):
        np.testing.assert_array_equal(a, b)


def test_every_layer_is_in_the_table():
    classes = {name.split()[0] for name in LAYERS}
    assert classes - {"QCFS"} == set(layers.__all__) - {"OF_TWINS", "Stage"}


def test_the_config_says_all_and_goes_through_json(case):
    layer, _, name = case
    assert type(layer).__name__ == name.split()[0]
    text = json.dumps(keras.saving.serialize_keras_object(layer))
    again = keras.saving.deserialize_keras_object(json.loads(text))
    assert type(again) is type(layer)
    assert again.get_config() == layer.get_config()
    config = {**layer.get_config(), "name": "other", "trainable": False}
    other = type(layer).from_config(config)
    assert (other.name, other.trainable) == ("other", False)


def test_symbolic_outputs_are_as_the_real_ones(case):
    layer, inputs, _ = case
    symbolic = layer(*(keras.Input(x.shape[1:], batch_size=len(x)) for x in inputs))
    real = layer(*inputs)
    assert keras.tree.map_structure(lambda x: tuple(x.shape), real) == keras.tree.map_structure(
        lambda x: tuple(x.shape), symbolic
    )
    for a, b in zip(keras.tree.flatten(real), keras.tree.flatten(symbolic), strict=True):
        assert keras.backend.standardize_dtype(a.dtype) == b.dtype == "float32"
    shapes = layer.compute_output_shape(*(x.shape for x in inputs))
    shapes = shapes if isinstance(real, tuple | list) else [shapes]
    assert [tuple(shape) for shape in shapes] == [x.shape for x in keras.tree.flatten(symbolic)]


def test_the_batch_may_be_unknown(case):
    layer, inputs, _ = case
    model = as_model(layer, inputs)
    for output in keras.tree.flatten(model.output):
        assert output.shape[0] is None
        assert None not in output.shape[1:]
    assert_equal(outputs_of(model(inputs)), outputs_of(layer(*inputs)))


def test_the_ann_may_have_another_dtype(case):
    _, inputs, name = case
    keras.config.set_dtype_policy("mixed_bfloat16")
    layer = LAYERS[name][0]()
    expected = "bfloat16" if name in OF_THE_ANN else "float32"
    for output in keras.tree.flatten(layer(*inputs)):
        assert keras.backend.standardize_dtype(output.dtype) == expected
    assert {w.dtype for w in layer.weights} <= {"float32"}


def test_a_saved_layer_is_the_same(case, rng, tmp_path):
    layer, inputs, _ = case
    model = as_model(layer, inputs)
    randomise(model, rng)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert_equal(again.get_weights(), model.get_weights())
    assert_equal(outputs_of(again(inputs)), outputs_of(model(inputs)))


def test_a_clone_is_the_same_and_shares_nothing(case, rng):
    layer, inputs, _ = case
    model = as_model(layer, inputs)
    randomise(model, rng)
    clone = keras.models.clone_model(model)
    assert [w.shape for w in clone.weights] == [w.shape for w in model.weights]
    assert not {id(w) for w in clone.weights} & {id(w) for w in model.weights}
    clone.set_weights(model.get_weights())
    assert clone.layers[-1].get_config() == layer.get_config()
    assert_equal(outputs_of(clone(inputs)), outputs_of(model(inputs)))


def test_a_layer_remembers_nothing(case):
    layer, inputs, _ = case
    first = outputs_of(layer(*inputs))
    assert any(x.any() for x in first) or not layer.weights
    assert_equal(outputs_of(layer(*inputs)), first)
