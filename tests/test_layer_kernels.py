"""Weights of the ANN's layers as the SNN reads them: quantised, with LoRA, shared out."""

import functools

import keras
import numpy as np
import pytest
from keras import layers, ops

import keras_proxy_snn as kps
from keras_proxy_snn.export import from_model
from keras_proxy_snn.layers.kernels import kernel_of
from keras_proxy_snn.saving.weights import load_weights, save_weights

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


def test_a_model_with_lora_in_each_layer_that_takes_it(rng, tmp_path):
    def cnn():
        x = keras.Input((6, 6, 2))
        y = layers.Conv2D(4, 3, padding="same", use_bias=False, name="conv")(x)
        y = layers.ReLU()(layers.BatchNormalization(name="norm")(y))
        y = layers.DepthwiseConv2D(3, activation="relu", name="depthwise")(y)
        y = layers.Dense(8, "relu", name="hidden")(layers.Flatten()(y))
        return keras.Model(x, layers.Dense(3, name="readout")(y))

    plain, tuned = cnn(), cnn()
    for ours, theirs in zip(plain.layers, tuned.layers, strict=True):
        weights = [rng.normal(size=w.shape) ** 2 * 0.25 for w in ours.get_weights()]
        theirs.set_weights(weights)
        if hasattr(theirs, "enable_lora"):
            with_lora(theirs, rng)
            weights[0] = to_numpy(theirs.kernel)
        ours.set_weights(weights)
    assert [hasattr(layer, "lora_enabled") and layer.lora_enabled for layer in tuned.layers].count(
        True
    ) == 3
    x = rng.random((4, 6, 6, 2)).astype("float32")
    model, reference = (kps.ProxyModel(ann, 6, 0.5) for ann in (tuned, plain))
    expected = reference.predict(x, verbose=0)
    assert expected.any()
    np.testing.assert_array_equal(model.predict(x, verbose=0), expected)
    for ours, theirs in zip(from_model(model).neurons, from_model(reference).neurons, strict=True):
        np.testing.assert_array_equal(ours.kernel, theirs.kernel)
    model.save(tmp_path / "lora.keras")
    loaded = keras.models.load_model(tmp_path / "lora.keras")
    np.testing.assert_array_equal(loaded.predict(x, verbose=0), expected)
    save_weights(model, tmp_path / "lora.json")
    with pytest.raises(ValueError, match=r"Received: \['conv/lora_kernel_a'.*\] besides, in"):
        load_weights(reference, tmp_path / "lora.json")


@pytest.mark.skipif(keras.config.backend() != "jax", reason="Keras shares layers out on JAX alone")
def test_a_model_shared_out_over_devices_gives_the_same_counts(rng):
    import jax

    if len(jax.devices()) < 4:
        pytest.skip("XLA_FLAGS=--xla_force_host_platform_device_count=4 makes four devices")
    build = functools.partial(
        kps.build, "4C3-P2-8F-6F", input_shape=(4, 4, 1), time_steps=4, v_threshold=0.25
    )
    x, reference = rng.random((4, 4, 4, 1)).astype("float32"), build()
    weights = [w.astype("float32") for w in reference.get_weights()]
    expected = reference.predict(x, verbose=0)
    assert expected.any()
    devices = keras.distribution.list_devices()[:4]
    layout = keras.distribution.LayoutMap(
        keras.distribution.DeviceMesh((2, 2), ("batch", "model"), devices)
    )
    layout[".*conv1/kernel"] = (None, None, None, "model")
    layout[".*dense1/kernel"] = (None, "model")
    layout[".*readout/kernel"] = ("model", None)
    for distribution in (
        keras.distribution.DataParallel(devices=devices),
        keras.distribution.ModelParallel(layout_map=layout, batch_dim_name="batch"),
    ):
        keras.distribution.set_distribution(distribution)
        try:
            model = build()
            model.set_weights(weights)
            np.testing.assert_array_equal(model.predict(x, verbose=0), expected)
            kernels = [neurons.kernel for neurons in from_model(model).neurons]
            history = model.fit(x, np.arange(4), batch_size=4, verbose=0)
        finally:
            keras.distribution.set_distribution(None)
        for kernel, neurons in zip(kernels, from_model(reference).neurons, strict=True):
            np.testing.assert_array_equal(kernel, neurons.kernel)
        assert np.isfinite(history.history["loss"]).all()
    shared = [weight.value.sharding.spec for weight in model.ann.weights]
    assert [spec.count("model") for spec in map(tuple, shared)] == [1, 1, 1]


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


@pytest.mark.skipif(keras.config.backend() != "torch", reason="PyTorch's DTensor")
def test_a_kernel_shared_out_by_pytorch_is_read_whole(rng, tmp_path):
    import torch
    from torch import distributed
    from torch.distributed.tensor import Shard, distribute_tensor, init_device_mesh

    layer = dense(rng)
    whole = to_numpy(layer.kernel)
    distributed.init_process_group("gloo", f"file://{tmp_path / 'store'}", rank=0, world_size=1)
    try:
        shared = distribute_tensor(
            layer.kernel.value.detach(), init_device_mesh("cpu", (1,)), [Shard(0)]
        )
        layer.kernel._value = torch.nn.Parameter(shared)
        found = kernel_of(layer)
        assert type(found) is torch.Tensor
        np.testing.assert_array_equal(found.detach().numpy(), whole)
    finally:
        distributed.destroy_process_group()
