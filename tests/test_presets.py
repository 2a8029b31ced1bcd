import re

import keras
import numpy as np
import pytest
from keras import ops

import keras_proxy_snn as kps
from keras_proxy_snn.methods._conversion import PLAIN
from keras_proxy_snn.presets import PURPOSES

TABLE_1 = {
    "fashion_mnist": ("128C3-128C3-P2-128C3-P2-1024F-256F-10F", (28, 28, 1), 50, 2.0),
    "cifar10": (
        "256C3-512C3-P2-512C3-512C3-512C3-P2-256C3-1024F-512F-256F-10F",
        (32, 32, 3),
        60,
        3.0,
    ),
}


@pytest.mark.any_backend
@pytest.mark.parametrize("name", TABLE_1)
def test_table_1_exactly(name):
    spec, shape, steps, theta = TABLE_1[name]
    model = kps.build(name)
    assert kps.PRESETS[name].spec == spec
    assert model.ann.input_shape == (None, *shape)
    assert model.time_steps == steps
    assert {layer.v_threshold for layer in model.snn.if_layers} == {theta}
    assert {layer.reset for layer in model.snn.if_layers} == {"zero"}
    adam = model.optimizer
    assert type(adam).__name__ == "Adam"
    learning_rate = float(ops.convert_to_numpy(adam.learning_rate))
    assert learning_rate == pytest.approx(1e-3)
    assert (adam.beta_1, adam.beta_2, adam.epsilon) == (0.8, 0.99, 1e-7)
    assert isinstance(model.loss, kps.SpikeCountCrossentropy)
    sizes = [layer.twin.kernel.shape for layer in model.snn.if_layers]
    maps = [int(token.split("C")[0].rstrip("F")) for token in spec.split("-") if token[0] != "P"]
    assert [size[-1] for size in sizes] == maps
    for layer in model.snn.if_layers:
        penalty = layer.twin.kernel_regularizer.l2
        assert float(ops.convert_to_numpy(penalty)) == pytest.approx(1e-5)
    # ReLU everywhere but on the last layer, as in the authors' notebook, and no biases.
    kinds = [type(layer).__name__ for layer in model.ann.layers]
    assert kinds.count("ReLU") == len(sizes) - 1
    assert kinds[-1] == "Dense"
    assert "Rescaling" not in kinds
    assert not any(layer.twin.use_bias for layer in model.snn.if_layers)


def test_half_of_cifar10_is_table_1_with_half_the_maps():
    half, whole = (kps.PRESETS[name] for name in ("cifar10_half", "cifar10"))
    assert {**vars(half), "spec": whole.spec} == vars(whole)
    numbers = [re.findall(r"(\d+)[CF]", preset.spec) for preset in (half, whole)]
    assert numbers[0] == [*(str(int(number) // 2) for number in numbers[1][:-1]), "10"]
    assert re.sub(r"\d+([CF])", r"\1", half.spec) == re.sub(r"\d+([CF])", r"\1", whole.spec)


@pytest.mark.parametrize("kernel_initializer", ["rate_preserving", "he_uniform"])
def test_first_weights(kernel_initializer):
    """Variance 2 theta^2 / fan-in (He et al. 2015, Eq. 10, times theta^2), or without theta."""
    keras.utils.set_random_seed(0)
    model = kps.build(
        "40C3-60C3-P2-200F-50F",
        input_shape=(8, 8, 4),
        v_threshold=3.0,
        readout_v_threshold=8.0,
        kernel_initializer=kernel_initializer,
    )
    for layer in model.snn.if_layers:
        kernel = ops.convert_to_numpy(layer.twin.kernel)
        theta = layer.v_threshold if kernel_initializer == "rate_preserving" else 1.0
        variance = kernel.var() * np.prod(kernel.shape[:-1]) / theta**2
        assert variance == pytest.approx(2, rel=0.1)


def test_averages_take_the_place_of_maxima():
    model = kps.build("2C3-P2-2C3-P2-3F", input_shape=(4, 4, 1), pooling="average")
    kinds = [type(layer).__name__ for layer in model.ann.layers if "pool" in layer.name]
    assert kinds == ["AveragePooling2D"] * 2
    assert not any(isinstance(stage, kps.SpikePool2D) for stage in model.snn.stages)


def test_first_weights_of_a_plain_ann_know_of_no_threshold():
    preset = kps.PRESETS["cifar10"]
    values = {**vars(preset), **PLAIN, "spec": "40C3-P2-200F-50F", "input_shape": (8, 8, 4)}
    for weights in kps.build(values.pop("spec"), **values).ann.get_weights():
        assert weights.var() * np.prod(weights.shape[:-1]) == pytest.approx(2, rel=0.1)


@pytest.mark.any_backend
def test_a_deep_network_fires_from_the_first_step_of_training_on(rng):
    """Narrower than the network of Table 1 for CIFAR-10, and as deep."""
    fields = {
        "spec": "32C3-64C3-P2-64C3-64C3-64C3-P2-32C3-128F-64F-32F-10F",
        "input_shape": (16, 16, 3),
    }
    images = rng.random((4, 16, 16, 3), dtype="float32")
    rates = {}
    for name in ("rate_preserving", "glorot_uniform"):
        keras.utils.set_random_seed(0)
        model = kps.build("cifar10", kernel_initializer=name, **fields)
        records = kps.statistics.record(model, images)
        rates[name] = [record.firing_rate for record in records.values()]
    assert len(rates["rate_preserving"]) == 10
    assert min(rates["rate_preserving"]) > 0.01
    assert max(rates["rate_preserving"]) < 0.5
    assert max(rates["glorot_uniform"][2:]) < 1e-3


@pytest.mark.once
def test_presets_show_themselves_as_a_table():
    head, columns, *rows = repr(kps.PRESETS).splitlines()
    assert 'PRESETS["digits"]' in head
    assert columns.split() == ["preset", "images", "T", "for"]
    assert [row.split()[0] for row in rows] == list(kps.PRESETS)
    assert all(row.endswith(PURPOSES[name]) for row, name in zip(rows, kps.PRESETS, strict=True))
    assert kps.PRESETS._repr_html_().count("<tr>") == 1 + len(kps.PRESETS)


@pytest.mark.any_backend
@pytest.mark.parametrize("name", kps.PRESETS)
def test_a_preset_gives_a_built_compiled_model(name):
    model = kps.build(name, time_steps=2)
    assert model.built
    assert model.compiled
    assert model.ann.output_shape == (None, 10)
    images = np.zeros((1, *model.ann.input_shape[1:]), "float32")
    assert ops.convert_to_numpy(model(images)).tolist() == [[0.0] * 10]


def test_a_spec_of_ones_own():
    model = kps.build(
        "16C3-P2-32C3-P2-64F-10F",
        input_shape=(28, 28, 1),
        time_steps=20,
        v_threshold=1.0,
        reset="zero",
    )
    assert [w.shape for w in model.ann.get_weights()] == [
        (3, 3, 1, 16),
        (3, 3, 16, 32),
        (7 * 7 * 32, 64),
        (64, 10),
    ]
    values = [np.full(w.shape, 0.5, "float32") for w in model.ann.get_weights()]
    model.ann.set_weights(values)
    kernel = model.snn.if_layers[0].twin.kernel
    np.testing.assert_array_equal(ops.convert_to_numpy(kernel), values[0])


def test_every_field_can_be_overridden():
    model = kps.build(
        "digits",
        spec="4C3-P2-6F-10F",
        time_steps=3,
        v_threshold=2,
        reset="subtract",
        proxy_activation="relu",
        readout_activation="relu",
        use_bias=True,
        batch_norm=True,
        loss="mse",
        learning_rate=0.5,
        l2=0.0,
        chunk_steps=2,
    )
    assert [layer.name for layer in model.ann.layers] == [
        "conv1",
        "conv1_batch_norm",
        "conv1_relu",
        "pool1",
        "flatten",
        "dense1",
        "dense1_batch_norm",
        "dense1_relu",
        "readout",
        "readout_relu",
    ]
    first = model.snn.if_layers[0]
    assert (first.v_threshold, first.reset, first.twin.use_bias) == (2.0, "subtract", True)
    assert first.twin.kernel_regularizer is None
    assert model.snn.chunk_steps == 2
    assert isinstance(model.loss, kps.SpikeCountMeanSquaredError)


@pytest.mark.any_backend
def test_thresholds_by_layer(rng, tmp_path):
    keras.utils.set_random_seed(0)
    given = {"readout": 4, "conv2": 0.5}
    fields = {"readout_activation": "relu", "time_steps": 6, "readout_v_threshold": None}
    model = kps.build("digits", v_threshold=given, **fields)
    expected = {"conv1": 1.0, "conv2": 0.5, "dense1": 1.0, "readout": 4.0}
    assert model.v_threshold == expected
    assert {x.twin.name: x.v_threshold for x in model.snn.if_layers} == expected
    for name, theta in expected.items():
        assert model.ann.get_layer(f"{name}_per_threshold").scale == 1 / theta
    model.save(tmp_path / "net.keras")
    loaded = keras.models.load_model(tmp_path / "net.keras", compile=False)
    assert loaded.v_threshold == expected
    x = 20 * rng.random((3, 8, 8, 1), "float32")
    counts = model.predict(x, verbose=0)
    np.testing.assert_array_equal(loaded.predict(x, verbose=0), counts)
    short = kps.build("digits", spec="4C3-10F", v_threshold=2, readout_v_threshold=3)
    assert short.v_threshold == {"conv1": 2.0, "readout": 3.0}
    plain = kps.ProxyModel(model.ann, 6, v_threshold=1.0)
    assert plain.v_threshold == 1.0
    assert plain.predict(x, verbose=0).sum() > counts.sum()


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (("mnist",), ValueError, r"'cifar10_half', 'digits', 'fashion_mnist'.*'mnist'"),
        (("CIFAR10",), ValueError, r"one of the presets \['cifar10'.*'CIFAR10'"),
        ((3,), ValueError, "Received: 3"),
        (("8C3-P2-10F",), TypeError, "needs `input_shape`"),
        (("8C3-P2-10G", {"input_shape": (8, 8, 1)}), kps.SpecError, "'10G' at position 7"),
        (("digits", {"depth": 3}), TypeError, r"Received: \['depth'\]"),
        (
            ("8F", {"spec": "9F", "input_shape": (8, 8, 1)}),
            ValueError,
            r"build\('8F'\) with spec='9",
        ),
        (("8F", {"input_shape": None}), ValueError, "positive integers. Received: None"),
        (("8F", {"input_shape": (8, 8, True)}), ValueError, r"Received: \(8, 8, True\)"),
        (("digits", {"beta_1": 1.0}), ValueError, "`beta_1` must be a number from 0 to below 1. R"),
        (
            ("digits", {"epsilon": "x"}),
            ValueError,
            "`epsilon` must be a number from 0 to below inf",
        ),
        (
            ("digits", {"learning_rate": float("nan")}),
            ValueError,
            "`learning_rate` .* Received: nan",
        ),
        (("digits", {"loss": "hinge"}), ValueError, r"\('crossentropy', 'mse'\).*'hinge'"),
        (("digits", {"proxy_activation": "elu"}), ValueError, r"\('relu', 'clip', 'qcfs'\).*'elu'"),
        (("digits", {"readout_activation": "elu"}), ValueError, r"\('relu', 'linear'\).*'elu'"),
        (("digits", {"pooling": "sum"}), ValueError, r"\('max', 'average'\).*'sum'"),
        (("digits", {"v_threshold": 0}), ValueError, "positive number. Received: 0"),
        (("digits", {"readout_v_threshold": 0.0}), ValueError, "number. Received: 0.0"),
        (("digits", {"v_threshold": {"readout": -1}}), ValueError, "number. Received: -1"),
        (("digits", {"v_threshold": {"pool1": 2}}), ValueError, r"\['conv1', .*\['pool1'\]"),
        (("digits", {"reset": "hard"}), ValueError, "Received: 'hard'"),
        (("digits", {"time_steps": 0}), ValueError, "positive integer. Received: 0"),
        (("digits", {"input_shape": (1, 1, 1)}), kps.SpecError, "at least one pixel"),
    ],
)
def test_bad_arguments_are_refused(arguments, error, message):
    name, overrides = (*arguments, {})[:2]
    with pytest.raises(error, match=message):
        kps.build(name, **overrides)


def test_qcfs_is_the_clipped_ann_with_the_steps_of_its_neurons(rng):
    x = rng.random((8, 8, 8, 1)).astype("float32")
    clip, qcfs = (kps.build("digits", proxy_activation=name) for name in ("clip", "qcfs"))
    qcfs.set_weights(clip.get_weights())
    assert (clip.proxy_activation, qcfs.proxy_activation) == (None, "qcfs")
    np.testing.assert_array_equal(clip.ann.predict(x, verbose=0), qcfs.ann.predict(x, verbose=0))
    np.testing.assert_array_equal(clip.predict(x, verbose=0), qcfs.predict(x, verbose=0))
    for model in (clip, qcfs):
        model.fit(x, np.arange(8), batch_size=8, verbose=0)
    assert any((a != b).any() for a, b in zip(clip.get_weights(), qcfs.get_weights(), strict=True))


@pytest.mark.any_backend
def test_another_number_of_classes():
    model = kps.build("digits", classes=3)
    assert (model.classes, model.ann.layers[-1].units) == (3, 3)
    assert kps.build("4C3-P2-10F", input_shape=(8, 8, 1), classes=np.int64(7)).classes == 7
    for value in (0, 2.0, True):
        with pytest.raises(ValueError, match=r"`classes` must be a positive integer. Received"):
            kps.build("digits", classes=value)
