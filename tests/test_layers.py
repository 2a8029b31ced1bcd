import keras
import numpy as np
import pytest
from keras import ops

from keras_proxy_snn import IF, IFConv2D, IFDense, SpikeFlatten, SpikePool2D

from . import oracle

to_numpy = ops.convert_to_numpy
RESETS = ("zero", "subtract")


def spikes_like(rng, *shape):
    return (rng.random(shape) < 0.3).astype("float32")


def set_kernel(layer, shape, rng):
    layer.twin.build(shape)
    weights = [oracle.dyadic(rng, w.shape) for w in layer.twin.get_weights()]
    layer.twin.set_weights(weights)
    return weights


def time_loop(currents, theta, reset, v_0=0.0):
    v, spikes = v_0 * theta, []
    for t in range(currents.shape[1]):
        s, v = oracle.fire(v, currents[:, t].astype(float), theta, reset)
        spikes.append(s)
    return np.stack(spikes, axis=1), v


@pytest.mark.parametrize("reset", RESETS)
@pytest.mark.parametrize(("use_bias", "v_0"), [(False, 0.0), (True, 0.0), (True, 0.5)])
def test_conv_equals_the_oracle(rng, reset, use_bias, v_0):
    x = spikes_like(rng, 2, 7, 6, 5, 3)
    neurons = {"v_threshold": 0.75, "reset": reset, "v_0": v_0, "return_state": True}
    layer = IFConv2D(4, 3, padding="same", use_bias=use_bias, **neurons)
    kernel, *bias = set_kernel(layer, (None, 6, 5, 3), rng)
    currents = oracle.conv_same(x.reshape(14, 6, 5, 3), kernel).reshape(2, 7, 6, 5, 4)
    expected, potential = time_loop(currents + (bias[0] if use_bias else 0), 0.75, reset, v_0)
    spikes, v = layer(x)
    assert 0.05 < expected.mean() < 0.95
    np.testing.assert_array_equal(to_numpy(spikes), expected)
    np.testing.assert_array_equal(to_numpy(v), potential)


@pytest.mark.parametrize("v_0", [0.0, 0.5])
@pytest.mark.parametrize("reset", RESETS)
def test_dense_equals_the_oracle(rng, reset, v_0):
    x = spikes_like(rng, 3, 8, 20)
    layer = IFDense(9, v_threshold=0.5, reset=reset, v_0=v_0, return_state=True)
    kernel, bias = set_kernel(layer, (None, 20), rng)
    expected, potential = time_loop(x @ kernel.astype(float) + bias, 0.5, reset, v_0)
    spikes, v = layer(x)
    np.testing.assert_array_equal(to_numpy(spikes), expected)
    np.testing.assert_array_equal(to_numpy(v), potential)


@pytest.mark.parametrize(
    ("strides", "dilation", "padding"),
    [(2, 1, "same"), ((1, 2), 1, "valid"), (1, 2, "same"), (1, 1, "valid")],
)
def test_conv_takes_all_of_the_twins_geometry(rng, strides, dilation, padding):
    """The current of a step is exactly what the twin itself computes."""
    twin = keras.layers.Conv2D(4, 3, strides, padding, dilation_rate=dilation, use_bias=False)
    layer = IFConv2D(twin=twin, v_threshold=0.5)
    x = spikes_like(rng, 2, 3, 9, 8, 2)
    set_kernel(layer, (None, 9, 8, 2), rng)
    currents = np.stack([to_numpy(twin(x[:, t])) for t in range(3)], axis=1)
    expected, _ = time_loop(currents, 0.5, "zero")
    assert layer.compute_output_shape(x.shape) == expected.shape
    np.testing.assert_array_equal(to_numpy(layer(x)), expected)


def test_pool_is_the_or_of_each_window(rng):
    x = spikes_like(rng, 2, 5, 7, 6, 3)
    expected = np.stack([oracle.max_pool(x[:, t], 2) for t in range(5)], axis=1)
    np.testing.assert_array_equal(to_numpy(SpikePool2D(2)(x)), expected)


def test_flatten_has_the_order_of_keras(rng):
    x = spikes_like(rng, 2, 3, 4, 5, 6)
    expected = np.stack([to_numpy(keras.layers.Flatten()(x[:, t])) for t in range(3)], axis=1)
    np.testing.assert_array_equal(to_numpy(SpikeFlatten()(x)), expected)


@pytest.mark.parametrize("reset", RESETS)
def test_steps_with_carried_state_equal_all_steps_at_once(rng, reset):
    x = oracle.dyadic(rng, (2, 10, 6))
    layer = IF(v_threshold=0.5, reset=reset, v_0=0.5, return_state=True)
    whole, v_end = map(to_numpy, layer(x))
    v, parts = None, []
    for t in range(10):
        spikes, v = layer(x[:, t : t + 1], initial_state=v)
        parts.append(to_numpy(spikes))
    np.testing.assert_array_equal(np.concatenate(parts, axis=1), whole)
    np.testing.assert_array_equal(to_numpy(v), v_end)


def test_state_may_be_a_list_as_in_keras_recurrent_layers(rng):
    x, v = oracle.dyadic(rng, (2, 4, 6)), oracle.dyadic(rng, (2, 6))
    layer = IF(v_threshold=0.5)
    np.testing.assert_array_equal(
        to_numpy(layer(x, initial_state=[v])), to_numpy(layer(x, initial_state=v))
    )


def test_nothing_is_remembered_between_calls(rng):
    x = oracle.dyadic(rng, (2, 5, 6))
    layer = IF(v_threshold=0.5)
    np.testing.assert_array_equal(to_numpy(layer(x)), to_numpy(layer(x)))


def test_a_constant_image_equals_the_image_at_each_step(rng):
    image = oracle.dyadic(rng, (2, 6, 6, 1), low=0)
    twin = keras.layers.Conv2D(3, 3, padding="same")
    constant = IFConv2D(twin=twin, v_threshold=0.5, time_steps=7)
    set_kernel(constant, (None, 6, 6, 1), rng)
    repeated = IFConv2D(twin=twin, v_threshold=0.5)
    np.testing.assert_array_equal(
        to_numpy(constant(image)), to_numpy(repeated(np.repeat(image[:, None], 7, axis=1)))
    )


def test_the_twin_is_shared_not_copied(rng):
    twin = keras.layers.Dense(3, use_bias=False)
    layer = IFDense(twin=twin, v_threshold=1.0)
    x = np.ones((1, 1, 4), "float32")
    layer.build((None, 1, 4))
    assert layer.twin is twin
    assert [w is twin.kernel for w in layer.weights] == [True]
    twin.set_weights([np.full((4, 3), 0.2, "float32")])
    assert to_numpy(layer(x)).sum() == 0
    twin.set_weights([np.full((4, 3), 0.25, "float32")])
    assert to_numpy(layer(x)).sum() == 3


@pytest.mark.parametrize("center", [True, False])
@pytest.mark.parametrize("scale", [True, False])
@pytest.mark.parametrize("use_bias", [True, False])
def test_batch_norm_is_folded_with_its_running_statistics(rng, center, scale, use_bias):
    norm = keras.layers.BatchNormalization(center=center, scale=scale)
    twin = keras.layers.Conv2D(4, 3, padding="same", use_bias=use_bias)
    layer = IFConv2D(twin=twin, batch_norm=norm)
    layer.build((None, 1, 6, 6, 2))
    twin.set_weights([rng.normal(size=w.shape) for w in twin.get_weights()])
    norm.set_weights([rng.uniform(0.5, 2.0, w.shape) for w in norm.get_weights()])
    x = rng.random((2, 3, 6, 6, 2)).astype("float32")
    expected = np.stack([to_numpy(norm(twin(x[:, t]), training=False)) for t in range(3)], axis=1)
    np.testing.assert_allclose(to_numpy(layer.current(x)), expected, rtol=1e-4, atol=1e-5)


def test_new_batch_norm_is_made_on_request():
    layer = IFDense(5, batch_norm=True)
    layer.build((None, 4, 3))
    assert layer.batch_norm.gamma.shape == (5,)


def test_functional_api_with_state(rng):
    frames = keras.Input((4, 6, 6, 1))
    v_in = keras.Input((6, 6, 3))
    conv = IFConv2D(3, 3, padding="same", v_threshold=0.5, return_state=True)
    spikes, v_out = conv(frames, initial_state=v_in)
    hidden = SpikeFlatten()(SpikePool2D(3)(spikes))
    outputs = IFDense(5, v_threshold=0.5)(hidden)
    assert spikes.shape == (None, 4, 6, 6, 3)
    assert v_out.shape == (None, 6, 6, 3)
    assert outputs.shape == (None, 4, 5)
    model = keras.Model([frames, v_in], [outputs, v_out])
    out, v = model([rng.random((2, 4, 6, 6, 1)), np.zeros((2, 6, 6, 3), "float32")])
    assert out.shape == (2, 4, 5)
    assert v.shape == (2, 6, 6, 3)
    assert model.count_params() == 9 * 3 + 3 + 12 * 5 + 5


def test_potentials_are_not_among_the_weights(tmp_path, rng):
    model = keras.Sequential(
        [
            keras.Input((4, 5)),
            IFDense(3, v_threshold=0.5),
            IF(v_threshold=0.5),
        ]
    )
    x = rng.random((2, 4, 5)).astype("float32")
    before = to_numpy(model(x))
    assert [w.path.split("/")[-1] for w in model.weights] == ["kernel", "bias"]
    model.save(tmp_path / "m.keras")
    again = keras.models.load_model(tmp_path / "m.keras")
    np.testing.assert_array_equal(to_numpy(again(x)), before)


def test_neurons_stay_in_float32_under_mixed_precision(rng):
    keras.config.set_dtype_policy("mixed_bfloat16")
    layer = IFDense(4, v_threshold=0.5, return_state=True)
    spikes, v = layer(spikes_like(rng, 2, 3, 6))
    dtypes = {keras.backend.standardize_dtype(t.dtype) for t in (spikes, v)}
    assert dtypes == {"float32"}
    assert layer.twin.compute_dtype == "bfloat16"


@pytest.mark.parametrize(
    ("make_layer", "message"),
    [
        (lambda: IF(v_threshold=-1), "positive number. Received: -1"),
        (lambda: IF(reset="soft"), "Received: 'soft'"),
        (lambda: IF(v_0=1.0), r"in \[0, 1\)\. Received: 1.0"),
        (lambda: IF(time_steps=0), "`time_steps` must be a positive integer. Received: 0"),
        (lambda: IF(time_steps=2.0), "Received: 2.0"),
        (lambda: IFConv2D(twin=keras.layers.Dense(3)), "must be a keras.layers.Conv2D. Received"),
        (lambda: IFDense(3, twin=keras.layers.Dense(3)), "not both"),
        (
            lambda: IFDense(twin=keras.layers.Dense(3, activation="tanh")),
            "activation 'relu' or none.*'tanh'",
        ),
        (
            lambda: IFConv2D(twin=keras.layers.Conv2D(3, 3, data_format="channels_first")),
            "channels_last.*'channels_first'",
        ),
        (lambda: IFDense(3, batch_norm="yes"), "`batch_norm` must be.*'yes'"),
        (
            lambda: IFDense(3, batch_norm=keras.layers.BatchNormalization(axis=2)),
            "last axis.*axis=2",
        ),
        (lambda: SpikePool2D(0), "pool_size"),
    ],
)
def test_bad_arguments_are_refused(make_layer, message):
    with pytest.raises(ValueError, match=message):
        make_layer()


def test_an_unknown_number_of_steps_is_refused():
    layer = IFDense(3)
    symbolic = layer(keras.Input((None, 4)))
    assert symbolic.shape == (None, None, 3)
    with pytest.raises(ValueError, match="known length"):
        layer.call(keras.KerasTensor((2, None, 4)))
