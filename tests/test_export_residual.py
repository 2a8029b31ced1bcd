"""Residual CNNs in files: sums before neurons become shortcuts of a layer."""

from dataclasses import replace

import keras
import numpy as np
import pytest
from keras import layers

import keras_proxy_snn as kps
from keras_proxy_snn.cli import _export as export_command
from keras_proxy_snn.export import export, from_model, litert, load, nir, vela
from keras_proxy_snn.export.interpreter import run as interpret
from keras_proxy_snn.export.program import Conv, Dense, Flatten, Pool, Program, Shortcut
from keras_proxy_snn.export.quantise import quantise
from keras_proxy_snn.export.quantise._bounds import INT16, meeting_sums

from . import oracle
from .runtimes import needs_micro, needs_vela

SHAPE = (8, 8, 2)
FORMS = {"onnx": ("unrolled", "step", "loop"), "tflite": ("unrolled", "step", "stateful")}


def residual_cnn(rng):
    """A block with its own input, one with a strided convolution of it, and one after pooling."""

    def convolution(x, width, name, strides=1, size=3, bias=False):
        return layers.Conv2D(width, size, strides, padding="same", use_bias=bias, name=name)(x)

    image = keras.Input(SHAPE)
    x = layers.RandomFlip("horizontal")(image)
    stem = layers.ReLU(name="stem_relu")(convolution(x, 4, "stem"))
    y = layers.ReLU(name="relu1")(convolution(stem, 4, "conv1"))
    x = layers.ReLU(name="block1")(layers.Add()([stem, convolution(y, 4, "conv2", bias=True)]))
    y = layers.ReLU(name="relu2")(convolution(x, 6, "conv3", strides=2))
    y = convolution(y, 6, "conv4", bias=True)
    x = layers.Add()([y, convolution(x, 6, "narrow", strides=2, size=1, bias=True)])
    pooled = layers.MaxPooling2D(2, name="pool")(layers.ReLU(name="block2")(x))
    y = layers.ReLU(name="relu3")(convolution(pooled, 6, "conv5"))
    x = layers.ReLU(name="block3")(layers.Add()([convolution(y, 6, "conv6"), pooled]))
    x = layers.Dense(3, name="readout")(layers.GlobalAveragePooling2D()(x))
    cnn = keras.Model(image, x)
    for layer in cnn.layers:
        weights = [oracle.dyadic(rng, w.shape, 64, -31, 36) for w in layer.get_weights()]
        if layer.name == "readout":  # so that the layer's own average over 2 x 2 places is exact
            weights = [4 * w for w in weights]
        layer.set_weights(weights)
    return cnn


THRESHOLDS = {"stem": 1.0, "conv1": 0.5, "block1": 1.0, "conv3": 2.0, "conv5": 0.5}


@pytest.fixture
def model(rng):
    return kps.from_keras(residual_cnn(rng), 6, THRESHOLDS)


@pytest.fixture
def images(rng):
    return oracle.dyadic(rng, (5, *SHAPE), low=0, high=257)


def test_the_program_has_the_models_counts(model, images):
    program = from_model(model)
    shortcuts = {layer.name: [s.source for s in layer.shortcuts] for layer in program.neurons}
    assert {name: read for name, read in shortcuts.items() if read} == {
        "block1": ["stem"],
        "block2": ["block1"],
        "block3": ["spike_pool"],
    }
    assert program.metadata["spec"] == "4C3-4C3-4C3+-6C3-6C3+-P2-6C3-6C3+-3F"
    spikes = model.snn.record(images)
    rates = [keras.ops.convert_to_numpy(spikes[n.name]).mean() for n in model.snn.if_layers]
    assert all(0 < rate < 1 for rate in rates), rates
    simulation = model.snn.simulate(images)
    trace = interpret(program, images)
    counts = keras.ops.convert_to_numpy(simulation.spike_counts)
    np.testing.assert_array_equal(trace.spike_counts, counts)
    potential = keras.ops.convert_to_numpy(simulation.potential)
    np.testing.assert_array_equal(trace.potentials[-1] + program.neurons[-1].v_0, potential)


@pytest.mark.parametrize("suffix", FORMS)
def test_every_form_of_a_file_has_them_too(suffix, model, images, tmp_path):
    expected = interpret(from_model(model), images)
    model.readout = "counts"
    for form in FORMS[suffix]:
        exported = export(model, tmp_path / f"{form}.{suffix}", form=form, images=images)
        assert exported.check.differing == exported.check.worst == 0
        np.testing.assert_array_equal(exported.run(images), expected.spike_counts)


@pytest.mark.parametrize("suffix", FORMS)
def test_integers_spike_alike_in_every_form(suffix, model, images, tmp_path):
    integer = quantise(from_model(model), images)
    assert [s.kernel.dtype for layer in integer.neurons for s in layer.shortcuts] == ["int8"] * 3
    assert interpret(integer, images).spike_counts.any()
    for form in FORMS[suffix]:
        exported = export(integer, tmp_path / f"{form}.{suffix}", form=form, images=images)
        assert exported.check.worst == 0


@needs_micro
def test_integers_spike_alike_on_a_microcontroller(model, images, tmp_path):
    integer = replace(quantise(from_model(model), images), readout="counts")
    export(integer, tmp_path / "net.tflite", images=images)
    counts = litert.run_micro(tmp_path / "net.tflite", integer, images)
    np.testing.assert_array_equal(counts, interpret(integer, images).spike_counts)


@needs_vela
@pytest.mark.parametrize("form", ["unrolled", "step"])
def test_the_integer_network_is_wholly_on_the_npu(form, model, images, tmp_path):
    path = tmp_path / "net.tflite"
    litert.write(quantise(from_model(model), images), path, form=form)
    assert vela.report(path).npu_share == 1.0


def test_a_program_with_shortcuts_is_kept_in_its_file(model, images, tmp_path):
    program = from_model(model)
    program.save(tmp_path / "net.program")
    again = load(tmp_path / "net.program")
    expected = interpret(program, images).spike_counts
    np.testing.assert_array_equal(interpret(again, images).spike_counts, expected)
    assert [s.source for layer in again.neurons for s in layer.shortcuts] == [
        "stem",
        "block1",
        "spike_pool",
    ]


def meeting(own, other, maps, time_steps):
    """A layer where two convolutions meet, of maps that spike at every step."""
    one = np.ones((1, 1, 1, maps), "float32")
    shortcut = Shortcut("first", np.full((1, 1, maps, 1), other, "float32"))
    parts = (
        Conv("first", one, None, 1.0, "zero"),
        Conv("middle", np.eye(maps, dtype="float32")[None, None], None, 1.0, "zero"),
        Conv(
            "meeting",
            np.full((1, 1, maps, 1), own, "float32"),
            None,
            1.0,
            "subtract",
            shortcuts=(shortcut,),
        ),
        Flatten("flatten"),
        Dense("readout", np.ones((4, 2), "float32"), None, 1.0, "zero"),
    )
    return Program(parts, (2, 2, 1), time_steps)


def test_currents_that_cancel_are_bounded_before_they_meet():
    """Weights of 127 would take 38,100 from 300 maps, and their sum back to almost nothing."""
    program = meeting(own=0.5, other=-126 / 254, maps=300, time_steps=20)
    layer = program.neurons[2]
    np.testing.assert_array_equal(meeting_sums(layer), [150])
    np.testing.assert_array_equal(meeting_sums(program.neurons[1]), np.zeros(300))
    integer = quantise(program, np.ones((2, 2, 2, 1), "float32"))
    assert integer.metadata["saturation"]["meeting"]["proof"] == "observed"
    assert meeting_sums(integer.neurons[2]).max() <= INT16


def test_sums_of_integers_that_cancel_are_exact_in_litert(tmp_path):
    images = np.ones((1, 2, 2, 1), "float32")
    integer = quantise(meeting(own=1.0, other=-0.5, maps=40, time_steps=3), images)
    exported = export(integer, tmp_path / "net.tflite", images=images)
    assert exported.check.worst == 0
    assert interpret(integer, images).spike_counts.any()


@pytest.mark.parametrize(
    ("source", "kernel"),
    [("nothing", (1, 1, 4, 4)), ("above", (1, 1, 4, 4)), ("conv", (1, 1, 4, 3))],
)
def test_a_shortcut_must_fit(source, kernel):
    square = np.ones((1, 1, 4, 4), "float32")
    shortcut = Shortcut(source, np.ones(kernel, "float32"))
    parts = (
        Conv("conv", square, None, 1.0, "zero"),
        Conv("meeting", square, None, 1.0, "zero", shortcuts=(shortcut,)),
        Conv("above", square, None, 1.0, "zero"),
    )
    with pytest.raises(ValueError, match=f"'meeting'.*from '{source}'"):
        Program(parts, (2, 2, 4), 2)


def test_spikes_are_read_before_the_pooling_after_them(tmp_path):
    """A shortcut from neurons whose spikes are pooled too; one from the first of two poolings."""
    rng = np.random.default_rng(0)

    def kernel(*shape):
        return oracle.dyadic(rng, shape)

    half = Shortcut("conv", kernel(1, 1, 3, 3), strides=(2, 2))
    parts = (
        Conv("conv", kernel(3, 3, 2, 3), None, 1.0, "zero"),
        Pool("pool", (2, 2), (2, 2)),
        Conv("meeting", kernel(1, 1, 3, 3), None, 0.5, "subtract", shortcuts=(half,)),
        Flatten("flatten"),
        Dense("readout", kernel(48, 3), None, 2.0, "subtract"),
    )
    program = Program(parts, SHAPE, 5)
    images = oracle.dyadic(rng, (3, *SHAPE), low=0, high=257)
    assert interpret(program, images).spike_counts.any()
    for suffix, forms in FORMS.items():
        for form in forms:
            exported = export(program, tmp_path / f"{form}.{suffix}", form=form, images=images)
            assert exported.check.worst == 0
    again = Pool("again", (1, 1), (1, 1))
    meeting = replace(parts[2], shortcuts=(Shortcut("pool", kernel(1, 1, 3, 3)),))
    twice = Program((*parts[:2], again, meeting, *parts[3:]), SHAPE, 5)
    with pytest.raises(ValueError, match="reads 'pool', before 'again'"):
        litert.refuse(twice, "unrolled")


def test_what_is_made_of_chains_alone_is_refused(model, tmp_path):
    program = from_model(model)
    with pytest.raises(
        ValueError, match=r"NIR graph.*ONNX, LiteRT and C.*'block1', which reads spikes of 'stem'"
    ):
        nir.refuse(program)
    with pytest.raises(ValueError, match=r"ANN twin.*'block1'"):
        litert.write_twin(program, tmp_path / "twin.tflite")


@pytest.mark.filterwarnings("ignore:The network can be trained and saved")
def test_neurons_where_the_layer_before_them_does_not_come_in_are_refused(tmp_path):
    def convolution(x, name):
        return layers.Conv2D(2, 3, padding="same", activation="relu", name=name)(x)

    image = keras.Input(SHAPE)
    stem = convolution(image, "stem")
    x = convolution(stem, "first")
    y = convolution(convolution(x, "second"), "third")
    x = layers.ReLU(name="block")(layers.Add()([stem, x]))
    x = layers.ReLU(name="last")(layers.Add()([x, y]))
    cnn = keras.Model(image, layers.Dense(3)(layers.Flatten()(x)))
    with pytest.raises(ValueError, match=r"must include the layer before it.*'block' \(ReLU\)"):
        export(kps.from_keras(cnn, 2), tmp_path / "net.onnx")


def test_a_saved_residual_network_is_exported_by_the_command(model, images, tmp_path):
    model.save(tmp_path / "net.keras")
    np.save(tmp_path / "images.npy", images)
    facts = export_command.run(
        "litert",
        tmp_path / "net.keras",
        output=tmp_path / "net.tflite",
        bits=8,
        calibration=str(tmp_path / "images.npy"),
    )
    assert facts["check"]["differing"] == 0
    assert (tmp_path / "net.tflite").is_file()
