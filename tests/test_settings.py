"""What can be set obeys at once and is saved; what cannot is refused. Traces are kept."""

import warnings

import keras
import numpy as np
import pytest

import keras_proxy_snn as kps
from keras_proxy_snn.layers import precision
from keras_proxy_snn.simulation.wiring import Wiring

FIXED = {
    "name": "other",
    "v_threshold": 2.0,
    "reset": "subtract",
    "v_0": 0.5,
    "spike_height": "threshold",
    "current_dtype": "bfloat16",
    "events": True,
}


@pytest.fixture
def images():
    return np.random.default_rng(0).random((6, 4, 4, 1), "float32")


def small(**fields):
    fields = {"time_steps": 6, "v_threshold": 0.5, **fields}
    keras.utils.set_random_seed(0)
    return kps.build("4C3-8F-3F", input_shape=(4, 4, 1), **fields)


@pytest.mark.parametrize("name", FIXED)
def test_what_the_layers_are_built_with_cannot_be_set(name):
    model = small()
    with pytest.raises(AttributeError, match=rf"`{name}` .* ProxyModel\(model.ann, {name}="):
        setattr(model, name, FIXED[name])


@pytest.mark.parametrize("name", ["ann", "snn", "twin"])
def test_the_networks_cannot_be_replaced(name, images):
    model, other = small(), small()
    before = model.predict(images, verbose=0)
    for value in (getattr(other, name), None):
        with pytest.raises(AttributeError, match=f"`{name}` of ProxyModel cannot be set, .* share"):
            setattr(model, name, value)
    np.testing.assert_array_equal(model.predict(images, verbose=0), before)


def test_the_dtype_policy_cannot_be_set():
    with pytest.raises(AttributeError, match="`dtype_policy` of ProxyModel cannot be set"):
        small().dtype_policy = "mixed_bfloat16"


LAYERS = {
    "input_scale": 0.1,
    "current_dtype": "bfloat16",
    "time_steps": 3,
    "return_state": True,
    "v_threshold": 9.0,
    "reset": "subtract",
    "v_0": 0.5,
    "neuron": kps.IF(9.0).neuron,
    "dtype_policy": "bfloat16",
    "name": "other",
    "twin": keras.layers.Dense(8, name="new"),
    "batch_norm": keras.layers.BatchNormalization(name="norm"),
}


@pytest.mark.parametrize("value", ["given", "nonsense"])
@pytest.mark.parametrize("name", LAYERS)
def test_a_setting_of_a_layer_is_refused_and_changes_nothing(images, name, value):
    model = small()
    layer = model.snn.if_layers[1]
    before, counts = getattr(layer, name), model.predict(images, verbose=0)
    with pytest.raises(AttributeError, match=rf"`{name}` of IFDense cannot .* Make another IFDen"):
        setattr(layer, name, LAYERS[name] if value == "given" else value)
    assert getattr(layer, name) == before
    np.testing.assert_array_equal(model.predict(images, verbose=0), counts)
    simulated = keras.ops.convert_to_numpy(model.snn.simulate(images).spike_counts)
    np.testing.assert_array_equal(simulated, counts)


@pytest.mark.parametrize(
    ("stage", "name", "value"),
    [
        (kps.layers.CurrentSum([2.0, 1.0]), "scales", (1.0, 1.0)),
        (kps.layers.SpikeConcatenate(-1), "axis", 0),
        (kps.layers.AtEachStep(keras.layers.Flatten()), "layer", keras.layers.Flatten()),
        (kps.layers.AtEachStep(keras.layers.Flatten()), "prepares_images", True),
        (kps.layers.Synapses(kps.IFDense(1)), "layer", kps.IFDense(2)),
        (kps.layers.SpikeFlatten(), "dtype_policy", "float16"),
        (kps.layers.SpikePool2D(), "name", "other"),
        (kps.layers.LearnedThreshold(2.0), "initial", 3.0),
        (kps.layers.LearnedThreshold(2.0), "value", 3.0),
    ],
)
def test_a_setting_of_a_stage_without_neurons_is_refused(stage, name, value):
    before = getattr(stage, name)
    with pytest.raises(AttributeError, match=f"`{name}` of .* cannot be set, .* Received: "):
        setattr(stage, name, value)
    assert getattr(stage, name) == before


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("stages", []),
        ("nodes", ()),
        ("image_shape", (9, 9, 1)),
        ("events", True),
        ("name", "other"),
        ("dtype_policy", "bfloat16"),
    ],
)
def test_what_a_network_is_made_of_cannot_be_set(name, value, images):
    snn = small().snn
    before, counts = getattr(snn, name), snn.predict(images, verbose=0)
    with pytest.raises(AttributeError, match=f"`{name}` of SpikingNetwork cannot be set"):
        setattr(snn, name, value)
    assert getattr(snn, name) == before
    np.testing.assert_array_equal(snn.predict(images, verbose=0), counts)


def test_currents_in_bfloat16_warn_once_for_a_model(monkeypatch):
    monkeypatch.setattr(precision, "has_bfloat16", lambda: False)
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("default")
        small(current_dtype="bfloat16")
    slow = keras.config.backend() != "jax" and precision.gpu_name() is None
    assert [str(w.message)[:27] for w in seen] == ["current_dtype='bfloat16' is"] * slow


@pytest.mark.parametrize("value", [2**31, 10**400])
def test_counters_of_steps_have_32_bits(value):
    model = small(time_steps=2**31 - 1)
    with pytest.raises(ValueError, match=r"`time_steps` must be at most 2147483647. Received: ab"):
        model.time_steps = value


@pytest.mark.parametrize("value", ["no", 1, None])
def test_events_is_true_or_false(value):
    config = small().get_config()
    with pytest.raises(TypeError, match="`events` must be True or False"):
        kps.ProxyModel.from_config({**config, "events": value})


def test_the_model_asks_the_layers():
    model = small(reset="subtract", v_0=0.25, current_dtype="bfloat16")
    assert (model.reset, model.v_0, model.v_threshold) == ("subtract", 0.25, 0.5)
    assert (model.spike_height, model.current_dtype) == ("one", "bfloat16")
    assert [layer.current_dtype for layer in model.snn.if_layers] == [
        "float32",
        "bfloat16",
        "float32",
    ]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("time_steps", np.int64(3)),
        ("chunk_steps", 4),
        ("readout", "potential"),
        ("proxy_activation", "clip"),
        ("event_driven", "auto"),
    ],
)
def test_what_is_set_obeys_at_once_and_survives_saving(images, tmp_path, name, value):
    model = small()
    model.predict(images, verbose=0)
    setattr(model, name, value)
    built = small(**{name: value})
    built.set_weights(model.get_weights())
    scores = model.predict(images, verbose=0)
    np.testing.assert_array_equal(scores, built.predict(images, verbose=0))
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras", compile=False)
    assert getattr(loaded, name) == getattr(loaded.snn, name, value) == value
    np.testing.assert_array_equal(scores, loaded.predict(images, verbose=0))


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("readout", "cuonts", ValueError),
        ("proxy_activation", "clp", ValueError),
        ("time_steps", 0, ValueError),
        ("chunk_steps", 2.0, ValueError),
        ("event_driven", 1, TypeError),
    ],
)
def test_a_setting_is_checked_at_every_door(name, value, error):
    model = small()
    before = getattr(model, name)
    with pytest.raises(error, match=f"`{name}` must be .*Received: {value!r}"):
        setattr(model, name, value)
    assert getattr(model, name) == before
    with pytest.raises(error, match=f"`{name}` must be .*Received: {value!r}"):
        small(**{name: value})


def test_a_layer_takes_a_neuron_or_its_parts():
    neuron = kps.IF(0.5, "subtract", v_0=0.25).neuron
    layer = kps.IFDense(3, neuron=neuron)
    assert layer.neuron == neuron
    assert layer.get_config()["v_threshold"] == 0.5
    assert kps.IF().neuron == type(neuron)()
    with pytest.raises(AttributeError, match="reset"):
        layer.reset = "zero"
    for other in ({"v_threshold": 1.0}, {"reset": "zero"}, {"v_0": 0.0}):
        with pytest.raises(ValueError, match=r"Give either `neuron`, a Neuron, or `v_threshold`"):
            kps.IF(neuron=neuron, **other)
    with pytest.raises(ValueError, match="Received: neuron=2"):
        kps.IF(neuron=2)


@pytest.fixture
def traced(monkeypatch):
    """T of each simulation that Python saw, of each trace where steps are compiled."""
    seen, real = [], Wiring.prepare

    def prepare(self, source, image):
        seen.append(source)
        return real(self, source, image)

    monkeypatch.setattr(Wiring, "prepare", prepare)
    return seen


@pytest.mark.skipif(keras.config.backend() == "torch", reason="PyTorch runs steps as they are")
def test_two_numbers_of_steps_in_turn_are_traced_once_each(images, traced):
    model = small()
    counts = [model.predict(images, time_steps=t, verbose=0) for t in (None, 3)]
    model.evaluate(images, np.arange(6) % 3, verbose=0)
    once = len(traced)
    for _ in range(2):
        for t, expected in zip((None, 3), counts, strict=True):
            again = model.predict(images, time_steps=t, verbose=0)
            np.testing.assert_array_equal(again, expected)
        model.evaluate(images, np.arange(6) % 3, verbose=0)
    assert len(traced) == once


def test_compiling_anew_forgets_the_functions_of_all_settings(images):
    y, model = np.arange(6) % 3, small(l2=0.0)
    model.compile("sgd", kps.SpikeCountCrossentropy())
    for t in (3, None):
        model.evaluate(images, y, time_steps=t, verbose=0)
    model.compile("sgd", kps.SpikeCountMeanSquaredError())
    for t in (3, None):
        counts = model.predict(images, time_steps=t, verbose=0)
        expected = np.mean((counts - np.eye(3)[y]) ** 2)
        logs = model.evaluate(images, y, time_steps=t, verbose=0, return_dict=True)
        assert logs["loss"] == pytest.approx(expected, rel=1e-5)


def test_settings_of_the_network_itself_obey(images):
    model = small()
    # First weights differ by backend; of positive ones the readout fires at most steps.
    model.set_weights([np.abs(weight) for weight in model.get_weights()])
    whole = model.snn.predict(images, verbose=0)
    model.snn.time_steps = 2
    few = model.snn.predict(images, verbose=0)
    assert few.max() <= 2 < whole.max()
    np.testing.assert_array_equal(model.predict(images, verbose=0), few)


@pytest.mark.parametrize(
    "change",
    [
        lambda ann: ann.add(keras.layers.Dense(3)),
        lambda ann: ann.pop(),
        lambda ann: (ann.pop(), ann.add(keras.layers.Dense(3, name="readout"))),
        lambda ann: setattr(ann.layers[1], "activation", keras.activations.tanh),
    ],
    ids=["added", "taken", "replaced", "activation"],
)
def test_a_network_that_is_changed_behind_the_models_back_is_refused(change, images, tmp_path):
    ann = keras.Sequential(
        [
            keras.Input(images.shape[1:]),
            keras.layers.Flatten(),
            keras.layers.Dense(4, activation="relu"),
            keras.layers.Dense(3, name="readout"),
        ]
    )
    model = kps.ProxyModel(ann, 2)
    change(ann)
    for method in (
        lambda: model.predict(images, verbose=0),
        lambda: model.save(tmp_path / "a.keras"),
        lambda: model.export(tmp_path / "a.onnx"),
    ):
        with pytest.raises(ValueError, match="must keep its layers and activations"):
            method()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("layer", "name", "value"),
    [
        ("scaled", "scale", 2.0),
        ("scaled", "offset", 1.0),
        ("norm", "epsilon", 1.0),
        ("pool", "pool_size", (1, 1)),
        ("pool", "strides", (1, 1)),
        ("conv", "strides", (2, 2)),
        ("conv", "padding", "valid"),
    ],
)
def test_a_constant_of_a_layer_that_is_changed_is_refused(layer, name, value):
    ann = keras.Sequential(
        [
            keras.Input((4, 4, 1)),
            keras.layers.Conv2D(2, 3, padding="same", name="conv"),
            keras.layers.BatchNormalization(name="norm"),
            keras.layers.Rescaling(0.5, name="scaled"),
            keras.layers.ReLU(),
            keras.layers.MaxPooling2D(name="pool"),
            keras.layers.Dropout(0.1, name="dropout"),
            keras.layers.Flatten(),
            keras.layers.Dense(3),
        ]
    )
    model = kps.ProxyModel(ann, 2)
    ann.get_layer("dropout").rate = 0.5  # of training alone
    model.check_ann()
    setattr(ann.get_layer(layer), name, value)
    with pytest.raises(ValueError, match="must keep its layers and activations"):
        model.check_ann()
