"""`ProxyModel` has the whole of Keras."""

import io
import json
import zipfile
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest
from keras import ops

import keras_proxy_snn as kps

from . import oracle

to_numpy = ops.convert_to_numpy
BACKEND = keras.config.backend()


def small(**settings):
    settings = {"input_shape": (6, 6, 1), "time_steps": 6, "v_threshold": 0.25, **settings}
    return kps.build("4C3-P2-8F-4F", **settings)


@pytest.fixture
def batch(rng):
    return rng.random((12, 6, 6, 1)).astype("float32"), rng.integers(0, 4, 12)


def test_digits_are_learned(digits):
    """Real images: the loss falls, and strict accuracy far exceeds chance within seconds."""
    (x, y), (x_test, y_test) = digits
    model = kps.build("digits")
    history = model.fit(x, y, epochs=4, batch_size=32, verbose=0).history
    assert history["loss"][-1] < 0.5 * history["loss"][0]
    assert history["accuracy"] == sorted(history["accuracy"])
    loss, accuracy = model.evaluate(x_test, y_test, verbose=0)
    assert accuracy > 0.85
    counts = model.predict(x_test, verbose=0)
    assert accuracy == pytest.approx((counts.argmax(axis=1) == y_test).mean(), abs=1e-6)
    assert loss == pytest.approx(_crossentropy(counts, y_test) + regularisation(model), rel=1e-4)
    assert counts.min() >= 0
    assert counts.max() <= model.time_steps
    np.testing.assert_array_equal(counts, np.round(counts))


def regularisation(model):
    return sum(float(to_numpy(loss)) for loss in model.losses)


def _crossentropy(counts, y):
    counts = counts.astype(float)
    return (np.log(np.exp(counts).sum(axis=1)) - counts[np.arange(len(y)), y]).mean()


def test_logs_hold_rates_and_distance_in_training_alone(batch):
    model = small()
    history = model.fit(*batch, validation_data=batch, epochs=2, verbose=0).history
    own = {"proxy_distance", "rate_conv1", "rate_dense1", "rate_readout"}
    assert set(history) == {"loss", "accuracy", "val_loss", "val_accuracy"} | own
    assert len(model.evaluate(*batch, verbose=0)) == 2
    assert set(model.evaluate(*batch, verbose=0, return_dict=True)) == {"loss", "accuracy"}


def test_logged_rates_and_distance_equal_their_definitions(batch):
    model = small()
    weights = model.get_weights()
    x, y = batch[0].copy(), batch[1]
    x[0] = 0  # an image without a spike is not part of the distance
    ann_output = np.maximum(to_numpy(model.ann(x)), 0)
    spikes, _ = oracle.run("4C3-P2-8F-4F", weights, x, 6, 0.25, "zero")
    counts = spikes[-1].sum(axis=1)
    model.compile(keras.optimizers.SGD(0.0), kps.SpikeCountCrossentropy())
    logs = {k: v[0] for k, v in model.fit(x, y, batch_size=12, verbose=0).history.items()}
    cosine = (counts * ann_output).sum(axis=1) / np.maximum(
        np.linalg.norm(counts, axis=1) * np.linalg.norm(ann_output, axis=1), 1e-12
    )
    fired = counts.any(axis=1)
    assert not fired.all()
    assert logs["proxy_distance"] == pytest.approx(1 - cosine[fired].mean(), abs=1e-5)
    for name, index in (("conv1", 0), ("dense1", 2), ("readout", 3)):
        assert logs[f"rate_{name}"] == pytest.approx(spikes[index].mean(), rel=1e-4)


def test_saving_and_loading(batch, tmp_path):
    model = small(proxy_activation="clip", reset="subtract", chunk_steps=3)
    model.fit(*batch, verbose=0)
    model.save(tmp_path / "m.keras")
    again = keras.models.load_model(tmp_path / "m.keras")
    assert type(again) is kps.ProxyModel
    settings = ("time_steps", "v_threshold", "reset", "chunk_steps", "name")
    assert all(again.get_config()[key] == model.get_config()[key] for key in settings)
    names = [layer.name for layer in model.ann.layers]
    assert [layer.name for layer in again.ann.layers] == names
    np.testing.assert_array_equal(
        again.predict(batch[0], verbose=0), model.predict(batch[0], verbose=0)
    )
    assert again.snn.if_layers[0].twin is again.ann.get_layer("conv1")
    np.testing.assert_allclose(again.evaluate(*batch, verbose=0), model.evaluate(*batch, verbose=0))
    steps = int(to_numpy(again.optimizer.iterations))
    again.fit(*batch, verbose=0)
    assert int(to_numpy(again.optimizer.iterations)) == steps + 1


def test_weights_are_saved_once(batch, tmp_path):
    model = small()
    model.save_weights(tmp_path / "m.weights.h5")
    sizes = {}
    with h5py.File(tmp_path / "m.weights.h5") as file:
        file.visititems(lambda name, item: sizes.update({name: getattr(item, "size", 0)}))
    stored = sum(size for name, size in sizes.items() if not name.startswith("optimizer"))
    assert stored == sum(w.size for w in model.get_weights())
    assert len(model.weights) == len(model.ann.weights)


FILES = Path(__file__).parent / "files"


def saved_network():
    """The network in `files/saved_on_*.keras`, and its images.

    Each backend has made one of these files: `saved_network()[0].save("files/saved_on_jax.keras")`.
    """
    rng = np.random.default_rng(0)
    model = small()
    weights = [oracle.dyadic(rng, w.shape, low=-64, high=65) for w in model.get_weights()]
    model.set_weights(weights)
    model.optimizer.build(model.trainable_variables)
    return model, oracle.dyadic(rng, (16, 6, 6, 1), low=0, high=257)


def facts_of_file(path):
    """Settings in a `.keras` file, with numbers in place of addresses; arrays by their name."""
    addresses = {}

    def plain(value):
        if isinstance(value, list):
            return [plain(item) for item in value]
        if isinstance(value, dict):
            shared = value.get("shared_object_id")
            number = {"shared_object_id": addresses.setdefault(shared, len(addresses))}
            return {key: plain(item) for key, item in value.items()} | (number if shared else {})
        return value

    arrays = {}

    def keep(name, item):
        if isinstance(item, h5py.Dataset):
            arrays[name] = item[()]

    with zipfile.ZipFile(path) as archive:
        settings = plain(json.loads(archive.read("config.json")))
        with h5py.File(io.BytesIO(archive.read("model.weights.h5"))) as file:
            file.visititems(keep)
    return settings, arrays


def test_a_file_saved_here_is_as_it_was(tmp_path):
    """With the next test: what one backend saves has the same counts on the two others."""
    model, _ = saved_network()
    model.save(tmp_path / "m.keras")
    settings, arrays = facts_of_file(tmp_path / "m.keras")
    expected, values = facts_of_file(FILES / f"saved_on_{BACKEND}.keras")
    assert settings == expected
    assert arrays.keys() == values.keys()
    for name, array in arrays.items():
        np.testing.assert_array_equal(array, values[name], err_msg=name)
        assert array.dtype == values[name].dtype, name


@pytest.mark.parametrize("backend", ["tensorflow", "jax", "torch"])
def test_a_file_of_any_backend_gives_the_same_counts_and_trains_on(backend):
    model, x = saved_network()
    again = keras.models.load_model(FILES / f"saved_on_{backend}.keras")
    spikes, _ = oracle.run("4C3-P2-8F-4F", model.get_weights(), x, 6, 0.25, "zero")
    counts = again.predict(x, verbose=0)
    assert len(np.unique(counts)) == 7
    np.testing.assert_array_equal(counts, spikes[-1].sum(axis=1))
    # Keras on PyTorch has optimizers of its own, which need PyTorch; Keras compiles on JAX alone.
    assert type(again.optimizer) is type(model.optimizer)
    assert again.jit_compile == model.jit_compile == (BACKEND == "jax")
    again.fit(x, np.arange(16) % 4, verbose=0)
    assert int(to_numpy(again.optimizer.iterations)) == 1


@pytest.mark.parametrize("jit_compile", [False, True])
def test_a_choice_to_compile_survives_a_file(jit_compile, tmp_path):
    model = small()
    model.compile("sgd", kps.SpikeCountCrossentropy(), jit_compile=jit_compile)
    model.save(tmp_path / "m.keras")
    kept = model.get_compile_config()["jit_compile"]
    assert kept == ("auto" if jit_compile == (BACKEND == "jax") else jit_compile)
    assert keras.models.load_model(tmp_path / "m.keras").jit_compile == jit_compile


def test_the_ann_is_usable_trainable_and_saveable_alone(batch, tmp_path):
    model = small()
    ann = model.ann
    standard = {"InputLayer", "Conv2D", "ReLU", "Rescaling", "MaxPooling2D", "Flatten", "Dense"}
    assert {type(layer).__name__ for layer in ann.layers} <= standard
    before = model.predict(batch[0], verbose=0)
    ann.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    ann.optimizer.learning_rate = 5.0
    ann.fit(*batch, verbose=0)
    assert (model.predict(batch[0], verbose=0) != before).any()
    ann.save(tmp_path / "ann.keras")
    again = keras.models.load_model(tmp_path / "ann.keras")
    np.testing.assert_allclose(to_numpy(again(batch[0])), to_numpy(ann(batch[0])), rtol=1e-5)
    # A CNN from anywhere enters at the second station.
    twin = kps.ProxyModel(again, time_steps=6, v_threshold=0.25)
    np.testing.assert_array_equal(
        twin.predict(batch[0], verbose=0), model.predict(batch[0], verbose=0)
    )


def test_time_steps_can_change_after_training(rng, batch):
    model = small()
    model.set_weights([oracle.dyadic(rng, w.shape) for w in model.get_weights()])
    x = oracle.dyadic(rng, (5, 6, 6, 1), low=0, high=257)

    def expected(steps):
        spikes, _ = oracle.run("4C3-P2-8F-4F", model.get_weights(), x, steps, 0.25, "zero")
        return spikes[-1].sum(axis=1)

    def predict(**kwargs):
        return model.predict(x, verbose=0, **kwargs)

    np.testing.assert_array_equal(predict(), expected(6))
    np.testing.assert_array_equal(predict(time_steps=15), expected(15))
    np.testing.assert_array_equal(predict(), expected(6))
    assert model.time_steps == 6
    model.time_steps = 3
    np.testing.assert_array_equal(predict(), expected(3))
    model.snn.time_steps = 9
    np.testing.assert_array_equal(predict(), expected(9))


def test_training_and_evaluation_follow_a_change_of_time_steps(batch):
    x, y = batch
    model = small(v_threshold=0.05, learning_rate=0.0)

    def rate():
        """Readout spikes of a train step divided by T: differs with T, so a stale graph shows."""
        return model.train_on_batch(x, y, return_dict=True)["rate_readout"]

    def loss(**kwargs):
        return model.evaluate(x, y, verbose=0, **kwargs)[0]

    for steps in (2, 13, 2):
        model.time_steps = steps
        counts = to_numpy(model.snn(x))
        model.reset_metrics()
        assert rate() == pytest.approx(counts.mean() / steps, rel=1e-4)
        penalty = regularisation(model)
        assert loss() == pytest.approx(_crossentropy(counts, y) + penalty, rel=1e-4)
    seven = to_numpy(kps.ProxyModel(model.ann, 7, 0.05).snn(x))
    assert loss(time_steps=7) == pytest.approx(_crossentropy(seven, y) + penalty, rel=1e-4)
    assert loss() == pytest.approx(_crossentropy(counts, y) + penalty, rel=1e-4)
    model.reset_metrics()
    assert rate() == pytest.approx(counts.mean() / 2, rel=1e-4)


def weights_after_fit(batch, fit=None, **compiled):
    keras.utils.set_random_seed(1)
    model = small()
    compiled = {
        "optimizer": keras.optimizers.SGD(0.1),
        "loss": kps.SpikeCountCrossentropy(),
        **compiled,
    }
    model.compile(**compiled)
    model.fit(*batch, batch_size=4, shuffle=False, verbose=0, **(fit or {}))
    return model.get_weights()


def assert_weights_equal(a, b, **tolerance):
    for one, other in zip(a, b, strict=True):
        np.testing.assert_allclose(one, other, **(tolerance or {"rtol": 1e-4, "atol": 1e-6}))


def moved(a, b):
    return max(np.abs(one - other).max() for one, other in zip(a, b, strict=True))


def test_sample_weights_and_class_weights(batch):
    _, y = batch
    weight_of = {0: 0.0, 1: 3.0, 2: 1.0, 3: 0.5}
    by_sample = np.array([weight_of[int(label)] for label in y], "float32")
    plain = weights_after_fit(batch)
    by_sample = weights_after_fit(batch, {"sample_weight": by_sample})
    by_class = weights_after_fit(batch, {"class_weight": weight_of})
    assert_weights_equal(by_sample, by_class)
    assert moved(plain, by_sample) > 1e-4


def test_eager_compiled_and_multi_step_execution_agree(batch):
    plain = weights_after_fit(batch)
    assert_weights_equal(weights_after_fit(batch, run_eagerly=True), plain)
    if BACKEND != "torch":  # PyTorch compiles for minutes, and Keras refuses many steps there.
        assert_weights_equal(weights_after_fit(batch, jit_compile=True), plain)
        assert_weights_equal(weights_after_fit(batch, steps_per_execution=3), plain)


def test_gradients_accumulate(batch):
    """Two half batches accumulated move the weights as one whole batch does."""
    x, y = batch
    whole, halves = small(), small()
    halves.set_weights(whole.get_weights())
    loss = kps.SpikeCountCrossentropy
    whole.compile(keras.optimizers.SGD(0.1), loss())
    halves.compile(keras.optimizers.SGD(0.1, gradient_accumulation_steps=2), loss())
    start = whole.get_weights()
    whole.train_on_batch(x, y)
    halves.train_on_batch(x[:6], y[:6])
    assert_weights_equal(halves.get_weights(), start, atol=0, rtol=0)
    halves.train_on_batch(x[6:], y[6:])
    assert moved(whole.get_weights(), start) > 1e-4
    assert_weights_equal(halves.get_weights(), whole.get_weights())


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision_trains(policy, digits):
    (x, y), _ = digits
    keras.config.set_dtype_policy(policy)
    # A processor multiplies numbers of 16 bits a hundred times as slowly as others.
    model = kps.build("8C3-P2-32F-10F", input_shape=(8, 8, 1), time_steps=8, learning_rate=5e-3)
    scaled = isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer)
    assert scaled == (policy == "mixed_float16")
    history = model.fit(x[:640], y[:640], epochs=8, verbose=0).history
    assert history["loss"][-1] < 0.8 * history["loss"][0]
    counts = model.predict(x[:8], verbose=0)
    assert counts.dtype == np.float32
    plain = kps.ProxyModel(model.ann, 8, model.v_threshold)
    np.testing.assert_array_equal(counts, to_numpy(plain.snn(x[:8])))


def test_batch_norm_is_trained_by_the_ann_and_folded_for_the_snn(batch):
    model = small(batch_norm=True)
    norm = model.ann.get_layer("conv1_batch_norm")
    before = [to_numpy(w).copy() for w in norm.weights]
    model.fit(*batch, verbose=0)
    changed = [
        not np.array_equal(a, to_numpy(w)) for a, w in zip(before, norm.weights, strict=True)
    ]
    assert changed == [True] * 4
    assert model.snn.if_layers[0].batch_norm is norm


def test_callbacks_and_datasets_of_keras(batch, tmp_path):
    x, y = batch
    model = small()
    best = keras.callbacks.ModelCheckpoint(tmp_path / "best.keras", save_best_only=True)
    logger = keras.callbacks.CSVLogger(str(tmp_path / "log.csv"))
    stop = keras.callbacks.EarlyStopping(patience=1)
    model.fit(x, y, validation_split=0.25, epochs=2, verbose=0, callbacks=[best, logger, stop])
    header = (tmp_path / "log.csv").read_text().splitlines()[0].split(",")
    assert {"rate_conv1", "proxy_distance", "val_accuracy"} <= set(header)
    assert keras.models.load_model(tmp_path / "best.keras").time_steps == 6

    class Batches(keras.utils.PyDataset):
        def __len__(self):
            return 3

        def __getitem__(self, index):
            return x[index * 4 : index * 4 + 4], y[index * 4 : index * 4 + 4]

    model.fit(Batches(), verbose=0)
    assert model.evaluate(Batches(), verbose=0)[0] > 0
    assert model.predict_on_batch(x).shape == (12, 4)


def test_one_hot_labels_and_further_metrics(batch):
    x, y = batch
    model = small()
    metrics = [kps.SpikeAccuracy(ties, name=ties) for ties in kps.SpikeAccuracy.RULES]
    model.compile("adam", kps.SpikeCountMeanSquaredError(), metrics=metrics)
    sparse = model.evaluate(x, y, verbose=0, return_dict=True)
    dense = model.evaluate(x, np.eye(4)[y], verbose=0, return_dict=True)
    assert sparse == pytest.approx(dense)
    spikes, v = oracle.run("4C3-P2-8F-4F", model.get_weights(), x, 6, 0.25, "zero")
    counts = spikes[-1].sum(axis=1)
    top = counts == counts.max(axis=1, keepdims=True)
    expected = {
        "first": counts.argmax(axis=1) == y,
        "wrong": top[np.arange(12), y] & (top.sum(axis=1) == 1),
        "any": top[np.arange(12), y],
        "potential": np.where(top, v[-1], -np.inf).argmax(axis=1) == y,
    }
    for ties, right in expected.items():
        assert sparse[ties] == pytest.approx(right.mean(), abs=1e-6), ties
    history = model.fit(x, y, validation_data=(x, y), verbose=0).history
    assert {"potential", "val_potential"} <= set(history)


def test_summary_names_both_networks():
    lines = []
    small().summary(print_fn=lines.append)
    text = "\n".join(lines)
    assert "ann" in text
    assert "snn" in text


def test_summary_shows_the_stages_of_the_spiking_network():
    lines = []
    small(time_steps=3).summary(print_fn=lines.append)
    rows = [" ".join(line.split()) for line in lines[0].splitlines()]
    assert rows[0] == "Spiking network of 3 time steps (T), reset 'zero'"
    assert rows[1] == "stage type output per step neurons threshold parameters"
    assert rows[2] == "if_conv1 IFConv2D 6 x 6 x 4 144 0.25 36"
    assert rows[3] == "spike_pool1 SpikePool2D 3 x 3 x 4 0"
    assert rows[-1].startswith("Both networks share these parameters. Keras's total adds")


def test_summary_of_a_graph_names_what_a_stage_reads():
    image = keras.Input((4, 4, 1))
    x = keras.layers.Conv2D(2, 1, activation="relu", name="first")(image)
    y = keras.layers.Add()([x, keras.layers.Conv2D(2, 1, name="second")(x)])
    y = keras.layers.Flatten()(keras.layers.ReLU()(y))
    model = kps.ProxyModel(keras.Model(image, keras.layers.Dense(3)(y)), time_steps=2)
    lines = []
    model.summary(print_fn=lines.append)
    _, head, *rows = lines[0].splitlines()
    assert head.split()[:4] == ["stage", "type", "reads", "output"]
    (row,) = (row for row in rows if row.startswith("sum_"))
    assert "if_first, synapses_second" in row


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (lambda m: setattr(m, "time_steps", 0), "positive integer. Received: 0"),
        (lambda m: setattr(m.snn, "chunk_steps", 1.5), "`chunk_steps` must be a positive.*1.5"),
        (lambda m: m.predict(np.zeros((2, 6, 6, 1)), time_steps=-2, verbose=0), "Received: -2"),
        (lambda m: m.predict(np.zeros((2, 28, 28, 1)), verbose=0), r"\(batch, 6, 6, 1\)"),
        (lambda m: m(np.zeros((6, 6, 1))), r"\(batch, 6, 6, 1\).*\(6, 6, 1\)"),
    ],
)
def test_bad_input_is_refused(act, message):
    model = small()
    with pytest.raises(ValueError, match=message):
        act(model)


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ([keras.layers.Dense(3)], "must be a keras.Sequential"),
        ([keras.Input((6, 6, 1)), keras.layers.Conv2D(3, 3)], r"must be \(batch, classes\)"),
        (
            [keras.Input((6, 6, 1)), keras.layers.Conv2DTranspose(3, 3, name="up")],
            r"layer 'up' \(Conv2DTranspose\)",
        ),
        (
            [keras.Input((4,)), keras.layers.Dense(3, "tanh"), keras.layers.Dense(3)],
            "approximate ReLU: set activation='relu' in it.*with activation 'tanh'",
        ),
        (
            [
                keras.Input((4,)),
                keras.layers.Dense(3),
                keras.layers.ReLU(negative_slope=0.5, name="leaky"),
                keras.layers.Dense(3),
            ],
            r"negative_slope=0\.5, threshold=0 and max_value=None: take keras\.layers\.ReLU\(\) "
            r"and train again\. Received: layer 'leaky'",
        ),
        (
            [keras.Input((4,)), keras.layers.Dense(1, "sigmoid", name="last")],
            r"for two classes take Dense\(2, activation='softmax'\).*'last' \(Dense with "
            r"activation 'sigmoid'\)",
        ),
        (
            [
                keras.Input((6, 6, 1)),
                keras.layers.Conv2D(3, 3, activation="gelu", name="a"),
                keras.layers.LayerNormalization(name="b"),
                keras.layers.Flatten(),
                keras.layers.Dense(1, "sigmoid", name="c"),
            ],
            r"3 layers of other kinds\. 'a' \(Conv2D with activation 'gelu'\): IF neurons .*; 'b' "
            r"\(LayerNormalization\): Put .*; 'c' \(Dense with .*Dense\(2, ",
        ),
    ],
)
def test_an_ann_without_a_spiking_counterpart_is_refused(layers, message):
    with pytest.raises(ValueError, match=message):
        kps.ProxyModel(keras.Sequential(layers), time_steps=4)
