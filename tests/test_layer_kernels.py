"""Weights of the ANN's layers as the SNN reads them: quantised, with LoRA, shared out."""

import keras
import numpy as np
import pytest
from keras import layers, ops

import keras_proxy_snn as kps
from keras_proxy_snn.export import from_model
from keras_proxy_snn.layers.kernels import kernel_of

to_numpy = ops.convert_to_numpy
_INT4 = keras.quantizers.Int4QuantizationConfig


def dense(rng, inputs=6, units=5, **options):
    layer = layers.Dense(units, **options)
    layer.build((None, inputs))
    layer.set_weights([rng.normal(size=w.shape) for w in layer.get_weights()])
    return layer


def with_lora(layer, rng):
    layer.enable_lora(2, lora_alpha=3.0)
    layer.lora_kernel_b.assign(rng.normal(size=layer.lora_kernel_b.shape))
    return layer


def quantised(layer, config):
    # Without the rounding of the inputs the call is linear in them.
    if isinstance(config, str):
        layer.quantize(config)
        layer.inputs_quantizer = None
    else:
        layer.quantize(config.mode, config=config)
    return layer


@pytest.mark.parametrize(
    "make",
    [
        lambda rng: dense(rng),
        lambda rng: with_lora(dense(rng), rng),
        lambda rng: quantised(dense(rng), "int8"),
        lambda rng: with_lora(quantised(dense(rng), "int8"), rng),
        lambda rng: quantised(dense(rng), "int4"),
        lambda rng: quantised(dense(rng), _INT4(activation_quantizer=None, block_size=-1)),
        lambda rng: quantised(dense(rng), _INT4(activation_quantizer=None, block_size=4)),
        lambda rng: with_lora(quantised(dense(rng), "int4"), rng),
    ],
    ids=["float", "lora", "int8", "int8 lora", "int4", "int4 whole", "int4 blocks", "int4 lora"],
)
def test_the_kernel_is_that_of_the_layers_own_call(make, rng):
    layer = make(rng)
    inputs = np.eye(6, dtype="float32")
    own = to_numpy(layer(inputs)) - to_numpy(layer(np.zeros((1, 6), "float32")))
    np.testing.assert_allclose(to_numpy(kernel_of(layer)), own, rtol=1e-5, atol=1e-5)


def test_the_kernel_of_a_convolution_has_its_lora(rng):
    layer = layers.Conv2D(3, 2)
    layer.build((None, 2, 2, 2))
    x = rng.normal(size=(1, 2, 2, 2)).astype("float32")
    plain = to_numpy(layer(x))
    with_lora(layer, rng)
    snn = kps.layers.IFConv2D(twin=layer, time_steps=1)
    weights = snn.synaptic_weights()
    assert not np.allclose(to_numpy(layer(x)), plain)
    np.testing.assert_allclose(to_numpy(snn.linear(x, weights)), to_numpy(layer(x)), rtol=1e-5)


@pytest.mark.parametrize("mode", ["float8"])
def test_what_is_not_known_is_refused(mode, rng):
    layer = dense(rng)
    layer.quantize(mode)
    with pytest.raises(ValueError, match=f"in '{mode}'. Build the spiking network of the CNN"):
        kernel_of(layer)


def tiny(rng):
    cnn = keras.Sequential([keras.Input((2, 2, 1)), layers.Flatten()])
    cnn.add(layers.Dense(5, "relu", name="hidden"))
    cnn.add(layers.Dense(3, "softmax", name="readout"))
    cnn.set_weights([rng.normal(size=w.shape) for w in cnn.get_weights()])
    return kps.from_keras(cnn, 8)


@pytest.mark.parametrize("mode", ["int8", "int4"])
def test_a_model_whose_ann_is_quantised_spikes_by_what_the_codes_stand_for(mode, rng, tmp_path):
    model, x = tiny(rng), rng.random((4, 2, 2, 1)).astype("float32")
    before = model.predict(x, verbose=0)  # a traced graph must not outlive the weights
    model.ann.quantize(mode, filters="hidden|readout")
    reference = tiny(rng)
    for name in ("hidden", "readout"):
        layer = model.ann.get_layer(name)
        kernel = to_numpy(kernel_of(layer))
        reference.ann.get_layer(name).set_weights([kernel, to_numpy(layer.bias)])
    expected = reference.predict(x, verbose=0)
    assert not np.array_equal(expected, before)
    np.testing.assert_allclose(model.predict(x, verbose=0), expected, atol=1e-5)
    program = from_model(model)
    np.testing.assert_array_equal(
        program.neurons[0].kernel, to_numpy(kernel_of(model.ann.get_layer("hidden")))
    )
    model.save(tmp_path / "quantised.keras")
    loaded = keras.models.load_model(tmp_path / "quantised.keras")
    np.testing.assert_allclose(loaded.predict(x, verbose=0), expected, atol=1e-5)


def test_lora_after_a_prediction_counts(rng):
    model, x = tiny(rng), rng.random((4, 2, 2, 1)).astype("float32")
    before = model.predict(x, verbose=0)
    with_lora(model.ann.get_layer("readout"), rng)
    after = model.predict(x, verbose=0)
    assert not np.array_equal(after, before)
    np.testing.assert_allclose(after, to_numpy(model(x)), atol=1e-5)


@pytest.mark.parametrize("mode", ["float8"])
def test_a_model_quantised_in_another_way_is_refused(mode, rng):
    model = tiny(rng)
    model.compile("adam", kps.SpikeCountCrossentropy())
    model.ann.quantize(mode, filters="hidden|readout")
    x = rng.random((4, 2, 2, 1)).astype("float32")
    for use in (
        lambda: model.predict(x, verbose=0),
        lambda: model.fit(x, np.zeros(4), verbose=0),
        lambda: from_model(model),
    ):
        with pytest.raises(ValueError, match="only Dense in 'int8' or 'int4'"):
            use()


def test_a_kernel_shared_out_over_devices_is_read_whole(monkeypatch):
    """PyTorch's `DTensor` gives all of itself by `full_tensor`."""

    class Shared:
        def full_tensor(self):
            return "whole"

    layer = layers.Dense(1)
    monkeypatch.setattr(layers.Dense, "kernel", Shared())
    monkeypatch.setattr(ops, "convert_to_tensor", lambda value: value)
    assert kernel_of(layer) == "whole"
