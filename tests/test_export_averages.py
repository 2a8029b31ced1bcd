"""Average pooling in a file: sums of spikes, and weights divided by their number."""

from dataclasses import replace

import keras
import numpy as np
import pytest
from keras import layers

import keras_proxy_snn as kps
from keras_proxy_snn.export import export, from_model, litert, load, nir, vela
from keras_proxy_snn.export.interpreter import run as interpret
from keras_proxy_snn.export.program import Conv, Dense, Flatten, Pool, Program, Shortcut
from keras_proxy_snn.export.quantise import quantise

from . import oracle
from .runtimes import needs_micro, needs_vela

SHAPE = (17, 16, 2)


def convolution(filters=3, size=3, **options):
    return layers.Conv2D(filters, size, activation="relu", **{"padding": "same"} | options)


def network(rng, *stack):
    """A CNN with neurons before and after what is given, weights and averages of them exact."""
    cnn = keras.Sequential(
        [keras.Input(SHAPE), convolution(), *stack, layers.Flatten(), layers.Dense(3)]
    )
    return spiking(cnn, rng)


def spiking(cnn, rng):
    cnn.set_weights([oracle.dyadic(rng, w.shape, 256, -120, 128) for w in cnn.get_weights()])
    return kps.from_keras(cnn, 8, 0.5)


def preset(rng):
    model = kps.build("digits", pooling="average", time_steps=8)
    model.ann.set_weights(
        [oracle.dyadic(rng, w.shape, 256, -100, 128) for w in model.ann.get_weights()]
    )
    return model


@pytest.fixture
def images(rng):
    return oracle.dyadic(rng, (4, *SHAPE), low=0, high=257)


def counts_of(model, images):
    return keras.ops.convert_to_numpy(model.snn.simulate(images).spike_counts)


def assert_alike(model, images):
    """Counts and potentials of the readout, and so all before, are Keras's in its program too."""
    program = from_model(model)
    trace, readout = interpret(program, images), program.neurons[-1]
    v = trace.potentials[-1] + np.float32(readout.v_0)
    simulation = model.snn.simulate(images)
    counts, potentials = map(
        keras.ops.convert_to_numpy, (simulation.spike_counts, simulation.potential)
    )
    assert len(np.unique(potentials)) > 2
    np.testing.assert_array_equal(trace.spike_counts, counts)
    np.testing.assert_array_equal(v, potentials)


def average(*size, name="average", **options):
    return layers.AveragePooling2D(size, name=name, **options)


STACKS = {
    "before a convolution": lambda: [average(2, 2), convolution()],
    "windows that overlap": lambda: [average(4, 2, strides=(2, 1)), convolution()],
    "windows with gaps": lambda: [average(2, 2, strides=3), convolution(strides=2)],
    "before a separable one": lambda: [
        average(4, 2),
        layers.SeparableConv2D(4, 3, padding="same", activation="relu"),
    ],
    "before a depthwise one": lambda: [
        average(4, 2),
        layers.DepthwiseConv2D(3, depth_multiplier=2, padding="same", activation="relu"),
    ],
    "before the readout, a row in no window": lambda: [average(2, 4)],
    "of averages": lambda: [layers.AveragePooling2D((1, 2)), average(2, 2)],
    "padded, of whole windows": lambda: [average(1, 4, padding="same"), convolution()],
    "of a maximum": lambda: [layers.MaxPooling2D(2), average(1, 2), convolution()],
    "and then of spikes": lambda: [average(1, 2), convolution(), layers.MaxPooling2D(2)],
    "and then of all": lambda: [average(2, 2), convolution(4), layers.GlobalAveragePooling2D()],
}


@pytest.mark.parametrize("stack", STACKS.values(), ids=STACKS)
def test_a_program_fires_as_keras_does(stack, rng, images):
    model = network(rng, *stack())
    assert_alike(model, images)


@pytest.mark.filterwarnings("ignore:The network can be trained and saved")
@pytest.mark.parametrize(
    ("stack", "message"),
    [
        ([average(2, 2, padding="same")], r"reaches over the edge .*'average'"),
        ([layers.GlobalAveragePooling2D(keepdims=True, name="all"), average(1, 1)], r"'all'"),
    ],
)
def test_what_is_no_sum_of_spikes_is_refused(stack, message, rng):
    with pytest.raises(ValueError, match=message):
        from_model(network(rng, *stack))


@pytest.mark.filterwarnings("ignore:The network can be trained and saved")
def test_an_average_of_the_image_is_refused(rng):
    cnn = keras.Sequential(
        [keras.Input((4, 6, 2)), average(2, 2), convolution(), layers.Flatten(), layers.Dense(3)]
    )
    with pytest.raises(ValueError, match=r"stands before all weights\. .*'average'"):
        from_model(spiking(cnn, rng))


def test_integers_see_sums_of_limited_size(rng, images):
    model = network(rng, average(15, 10))
    with pytest.raises(ValueError, match=r"at most 128 spikes\. Received: a sum of 150"):
        quantise(from_model(model), images)


@pytest.mark.parametrize("form", ["unrolled", "step", "loop", "stateful"])
@pytest.mark.parametrize("integer", [False, True])
def test_every_form_of_a_file_fires_alike(form, integer, rng, images, tmp_path):
    stack = [average(3, 2), convolution(4), average(2, 3, strides=(1, 3), name="again")]
    program = from_model(network(rng, *stack))
    if integer:
        program = quantise(program, images)
    formats = {"loop": ("onnx",), "stateful": ("tflite",)}.get(form, ("onnx", "tflite"))
    for suffix in formats:
        path = tmp_path / f"net.{suffix}"
        export(program, path, images=images, form=form)  # refuses a file that fires otherwise
        assert path.is_file()


@pytest.mark.parametrize("pooling", ["sum", "average"])
def test_integers_in_nir_are_exact(pooling, rng, digits, tmp_path):
    images = digits[1][0][:20]
    program = quantise(from_model(preset(rng)), images)
    nir.write(program, tmp_path / "net.nir", pooling=pooling)
    counts = interpret(program, images).spike_counts
    np.testing.assert_array_equal(nir.run(tmp_path / "net.nir", program, images), counts)
    again = nir.read(tmp_path / "net.nir")
    for ours, theirs in zip(program.neurons, again.neurons, strict=True):
        np.testing.assert_array_equal(theirs.kernel, ours.kernel)


@pytest.mark.parametrize("pooling", ["sum", "average"])
def test_nir_has_them(pooling, rng, digits, tmp_path):
    model = preset(rng)
    program, images = from_model(model), digits[1][0][:20]
    path = tmp_path / "digits.nir"
    nir.write(program, path, pooling=pooling)
    counts = interpret(program, images).spike_counts
    assert len(np.unique(counts)) > 2
    np.testing.assert_array_equal(nir.run(path, program, images), counts)
    again = nir.read(path)
    assert [layer for layer in again.layers if isinstance(layer, Pool)] == [
        layer for layer in program.layers if isinstance(layer, Pool)
    ]
    np.testing.assert_array_equal(interpret(again, images).spike_counts, counts)
    loaded = kps.from_nir(path)
    np.testing.assert_array_equal(counts_of(loaded, images), counts)


@pytest.mark.parametrize("suffix", ["onnx", "tflite", "nir"])
def test_a_preset_is_exported_to_every_format(suffix, rng, digits, tmp_path):
    model, images = preset(rng), digits[1][0][:20]
    path = tmp_path / f"digits.{suffix}"
    export(model, path, images=images)
    assert path.is_file()
    np.testing.assert_array_equal(
        interpret(from_model(model), images).spike_counts, counts_of(model, images)
    )


def summed(*layers):
    readout = Dense("readout", np.ones((4, 2), "float32"), None, 1.0, "zero")
    first = Conv("first", np.ones((1, 1, 1, 1), "float32"), None, 1.0, "zero")
    return Program((first, *layers, Flatten("flatten"), readout), (4, 4, 1), 2)


def test_an_or_of_sums_is_refused():
    sums = Pool("sums", (2, 2), (1, 1), "same", "sum")
    with pytest.raises(
        ValueError, match=r"not by an OR of spikes\. Received: pooling 'or' after 'sums'"
    ):
        summed(sums, Pool("or", (2, 2), (2, 2)))


def test_a_shortcut_from_sums_is_refused():
    sums = Pool("sums", (2, 2), (2, 2), "valid", "sum")
    one = np.ones((1, 1, 1, 1), "float32")
    with pytest.raises(ValueError, match=r"must read spikes .* a shortcut from 'sums'"):
        summed(sums, Conv("x", one, None, 1.0, "zero", shortcuts=(Shortcut("sums", one),)))


def test_a_model_of_sums_of_padded_maps_is_refused(tmp_path):
    program = summed(
        Pool("sums", (3, 3), (1, 1), "same", "sum"), Pool("x", (2, 2), (2, 2), kind="sum")
    )
    nir.write(program, tmp_path / "net.nir")
    assert [layer.name for layer in nir.read(tmp_path / "net.nir").layers[1:3]] == ["sums", "x"]
    with pytest.raises(ValueError, match=r"cannot sum padded maps.*Received: pooling 'sums'"):
        kps.from_nir(tmp_path / "net.nir")


@needs_micro
def test_integers_fire_alike_on_a_microcontroller(rng, images, tmp_path):
    integer = quantise(from_model(network(rng, average(3, 2), convolution(4))), images)
    integer = replace(integer, readout="counts")
    export(integer, tmp_path / "net.tflite", images=images)
    counts = litert.run_micro(tmp_path / "net.tflite", integer, images)
    np.testing.assert_array_equal(counts, interpret(integer, images).spike_counts)


@needs_vela
def test_the_integer_network_is_wholly_on_the_npu(rng, images, tmp_path):
    program = from_model(network(rng, average(3, 2), convolution(4)))
    litert.write(quantise(program, images), tmp_path / "net.tflite")
    assert vela.report(tmp_path / "net.tflite").npu_share == 1.0


def test_a_program_keeps_them_in_its_file(rng, tmp_path):
    program = from_model(network(rng, average(2, 2)))
    program.save(tmp_path / "net.program")
    assert load(tmp_path / "net.program").layers[1] == program.layers[1]
    assert program.layers[1] == Pool("spike_average", (2, 2), (2, 2), "valid", "sum")
