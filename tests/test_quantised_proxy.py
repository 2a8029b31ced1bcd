"""An ANN with the steps of its neurons, then the proxy: phases, rates of learning, dropout."""

import keras
import numpy as np
import pytest
from keras import ops

import keras_proxy_snn as kps
from keras_proxy_snn import methods
from keras_proxy_snn.methods._training import cosine, linear
from keras_proxy_snn.methods.joint import JointModel
from keras_proxy_snn.methods.quantised_proxy import with_dropout


@pytest.mark.slow
def test_the_ann_with_steps_comes_before_the_proxy(digits, tmp_path):
    (x, y), (x_test, y_test) = digits
    training = methods.Training(epochs=4, batch_size=32, folder=tmp_path)
    fields = {"time_steps": 4, "batch_norm": True, "v_threshold": 1.0}
    trained = methods.fit("proxy_quantised", "digits", x, y, training=training, **fields)
    model = trained.network
    assert [len(logs["loss"]) for logs in trained.history.values()] == [3, 1]
    assert (model.v_0, model.reset, model.readout, model.time_steps) == (
        *(0.5, "subtract", "potential"),
        4,
    )
    assert any(isinstance(layer, keras.layers.AveragePooling2D) for layer in model.ann.layers)
    assert model.evaluate(x_test, y_test, verbose=0)[1] > 0.9
    # What a kill leaves behind is enough to go on.
    again = methods.fit("proxy_quantised", "digits", x, y, training=training, **fields)
    assert again.history == trained.history
    counts = model.predict(x_test[:50], verbose=0)
    np.testing.assert_array_equal(again.network.predict(x_test[:50], verbose=0), counts)


@pytest.mark.any_backend
def test_the_headline_has_dropout_and_a_cosine_rate_before_the_proxy(digits, tmp_path):
    (x, y), _ = digits
    training = methods.Training(epochs=4, batch_size=32, folder=tmp_path, augment=True)
    fields = {"spec": "2C3-P4-10F", "time_steps": 2, "batch_norm": True, "v_threshold": 2.0}
    trained = methods.fit("headline", "digits", x[:96], y[:96], training=training, **fields)
    rates = [logs["learning_rate"] for logs in trained.history.values()]
    np.testing.assert_allclose(rates[0], [1e-3, 0.75e-3, 0.25e-3], rtol=1e-5)
    np.testing.assert_allclose(rates[1], [1e-4], rtol=1e-5)
    assert list(trained.history) == ["quantised", "proxy"]
    layers = trained.network.ann.layers
    assert not any(isinstance(layer, keras.layers.Dropout) for layer in layers)
    assert {layer.compute_dtype for layer in layers} == {"float32"}
    again = methods.fit("headline", "digits", x[:96], y[:96], training=training, **fields)
    for one, other in zip(trained.network.get_weights(), again.network.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_images_that_are_not_augmented_are_not_erased_in_silence(digits):
    (x, y), _ = digits
    with pytest.raises(ValueError, match=r"`augment=True`. Received: erasing=0.5, augment=False"):
        methods.fit("headline", "digits", x, y, training=methods.Training(epochs=2))


@pytest.mark.any_backend
def test_dropout_is_before_dense_layers_and_in_training_alone(rng):
    settings = {"batch_norm": True, "time_steps": 3, "readout": "potential", "learning_rate": 0.5}
    model = kps.build("2C3-P2-20F-10F", input_shape=(8, 8, 1), **settings)
    copy = with_dropout(model, 0.5, "mixed_bfloat16")
    kinds = [type(layer).__name__ for layer in copy.ann.layers]
    assert [kinds[place + 1] for place, kind in enumerate(kinds) if kind == "Dropout"] == [
        *("Dense", "Dense"),
    ]
    dtypes = [layer.compute_dtype for layer in copy.ann.layers]
    assert (set(dtypes[:-2]), dtypes[-1]) == ({"bfloat16"}, "float32")
    configs = [{**net.get_config(), "ann": None} for net in (copy, model)]
    assert configs[0] == configs[1]
    assert copy.readout == "potential"
    assert float(copy.optimizer.learning_rate) == float(model.optimizer.learning_rate)
    x = rng.random((16, 8, 8, 1)).astype("float32")
    exact = with_dropout(model, 0.5)
    for one, other in zip(exact.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    outputs = [net.ann.predict(x, verbose=0) for net in (exact, model)]
    np.testing.assert_array_equal(*outputs)
    steps = kps.QuantisedANN(exact, levels=4, dither=False)
    still, dropped = (ops.convert_to_numpy(steps(x, training=t)) for t in (False, True))
    assert np.abs(still - dropped).max() > 0.1


def test_the_cosine_falls_from_one_to_zero():
    assert [cosine(done) for done in (0.0, 1.0)] == [1.0, 0.0]
    np.testing.assert_allclose([cosine(1 / 3), cosine(2 / 3)], [0.75, 0.25], rtol=1e-12)
    assert [linear(done) for done in (0.0, 0.25)] == [1.0, 0.75]


@pytest.mark.any_backend
def test_without_the_proxy_all_epochs_are_with_steps(digits, tmp_path):
    (x, y), _ = digits
    training = methods.Training(epochs=4, batch_size=32, folder=tmp_path)
    fields = {"time_steps": 4, "batch_norm": True, "v_threshold": 1.0}
    trained = methods.fit("quantised_as_snn", "digits", x[:96], y[:96], training=training, **fields)
    assert {name: len(logs["loss"]) for name, logs in trained.history.items()} == {
        "quantised": 3,
        "slower": 1,
    }
    rates = [logs["learning_rate"] for logs in trained.history.values()]
    np.testing.assert_allclose(rates[0], [1e-3, 2e-3 / 3, 1e-3 / 3], rtol=1e-5)
    np.testing.assert_allclose(rates[1], [1e-4], rtol=1e-5)


@pytest.mark.any_backend
def test_rnl_lowers_the_thresholds_of_a_quantised_ann_by_one_factor(digits, tmp_path):
    (x, y), _ = digits
    training = methods.Training(epochs=2, batch_size=32, folder=tmp_path)
    fields = {"spec": "2C3-P4-16F-10F", "batch_norm": True, "v_threshold": 2.0, "time_steps": 4}
    trained = methods.fit(
        "quantised_rnl_long", "digits", x[:96], y[:96], training=training, **fields
    )
    plain = methods.fit(
        "quantised_as_snn_long", "digits", x[:96], y[:96], training=training, **fields
    )
    fraction = trained.facts["scale"]
    assert 0.0 < fraction < 0.982  # sigmoid(4), where s starts; K pulls it down
    network = trained.network
    hidden = {name: value for name, value in network.v_threshold.items() if name != "readout"}
    assert hidden == pytest.approx(dict.fromkeys(("conv1", "dense1"), 2 * fraction), rel=1e-6)
    assert (network.v_0, plain.network.v_0) == (0.0, 0.5)
    # The ANN is the quantised one: the second method found its parts in the folder.
    for ours, theirs in zip(
        network.ann.get_weights(), plain.network.ann.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(ours, theirs)
    # An activation clip(z / theta, 0, 1) is reached by lower currents.
    largest = []
    for net in (network, plain.network):
        first = keras.Model(net.ann.inputs[0], net.ann.get_layer("conv1_relu").output)
        largest.append(first.predict(x[:96], verbose=0).max())
    assert largest[0] == pytest.approx(min(1.0, largest[1] / fraction), rel=1e-5)


def test_the_joint_loss_is_the_mean_of_the_losses_of_both_networks(rng):
    ann = kps.build_ann(kps.parse_spec("3F"), (1, 1, 4), readout_activation="linear")
    weights = rng.integers(-256, 257, (4, 3)).astype("float32") / 256
    images = rng.integers(0, 257, (5, 1, 1, 4)).astype("float32") / 256
    labels = np.array([0, 1, 2, 0, 1])
    ann.set_weights([weights])
    model = JointModel(ann, time_steps=3)
    model.compile(keras.optimizers.SGD(256.0), kps.SpikeCountCrossentropy())
    counts = model.predict(images, verbose=0)
    loss = model.train_on_batch(images, labels, return_dict=True)["loss"]
    flat = images.reshape(5, 4)
    outputs = counts, flat @ weights
    assert np.abs(np.subtract(*outputs)).max() > 0.5
    softmax = [np.exp(z) / np.exp(z).sum(1, keepdims=True) for z in outputs]
    losses = [-np.log(p[np.arange(5), labels]).mean() for p in softmax]
    np.testing.assert_allclose(loss, np.mean(losses), rtol=1e-5)
    # The derivative of each loss by the output is (softmax - target) / batch.
    gradient = flat.T @ (np.mean(softmax, axis=0) - np.eye(3)[labels]) / 5
    learned = weights - 256 * gradient
    np.testing.assert_allclose(model.ann.get_weights()[0], learned, rtol=1e-4, atol=1e-4)


@pytest.mark.any_backend
def test_the_joint_recipe_trains_both_networks_in_its_second_part(digits, tmp_path):
    (x, y), _ = digits
    training = methods.Training(epochs=2, batch_size=32, folder=tmp_path)
    fields = {"spec": "2C3-P4-10F", "time_steps": 2, "batch_norm": True, "v_threshold": 2.0}
    trained = methods.fit("proxy_joint", "digits", x[:96], y[:96], training=training, **fields)
    assert {name: len(logs["loss"]) for name, logs in trained.history.items()} == {
        "quantised": 1,
        "proxy": 1,
    }
    assert type(trained.network) is kps.ProxyModel
