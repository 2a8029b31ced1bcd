import keras
import numpy as np
import pytest

from keras_proxy_snn import (
    QuantisedANN,
    SpikeAccuracy,
    SpikeCountCrossentropy,
    SpikeCountMeanSquaredError,
    build,
)
from keras_proxy_snn.training.losses import warn_of_probabilities
from keras_proxy_snn.training.metrics import FiringRates

COUNTS = np.float32([[5, 2, 0], [4, 4, 1], [4, 4, 1], [0, 0, 0], [0, 3, 2]])
LABELS = np.array([0, 0, 1, 2, 2])
POTENTIAL = np.float32([[0.1, 0.9, 0], [0.2, 0.3, 0.9], [0.2, 0.3, 0.9], [-1, -3, -2], [0, 0, 9]])
RIGHT = {
    "first": [1, 1, 0, 0, 0],
    "wrong": [1, 0, 0, 0, 0],
    "any": [1, 1, 1, 1, 0],
    "potential": [1, 0, 1, 0, 0],
}


@pytest.mark.parametrize("labels", [LABELS, LABELS[:, None], np.eye(3)[LABELS]])
@pytest.mark.parametrize("ties", RIGHT)
def test_each_rule_for_ties(ties, labels):
    accuracy = SpikeAccuracy(ties)
    extra = {"potential": POTENTIAL} if ties == "potential" else {}
    accuracy.update_state(labels, COUNTS, **extra)
    assert float(accuracy.result()) == pytest.approx(np.mean(RIGHT[ties]))
    accuracy.reset_state()
    weights = np.array([1.0, 2.0, 3.0, 4.0, 5.0])
    accuracy.update_state(labels, COUNTS, sample_weight=weights, **extra)
    expected = np.average(RIGHT[ties], weights=weights)
    assert float(accuracy.result()) == pytest.approx(expected)


def test_a_metric_serialises():
    metric = keras.saving.serialize_keras_object(SpikeAccuracy("wrong", name="strict"))
    again = keras.saving.deserialize_keras_object(metric)
    assert (type(again), again.ties, again.name) == (SpikeAccuracy, "wrong", "strict")


def test_unknown_rules_and_missing_potentials_are_refused():
    with pytest.raises(ValueError, match="Received: 'last'"):
        SpikeAccuracy("last")
    with pytest.raises(ValueError, match="needs the readout's membrane potentials"):
        SpikeAccuracy("potential").update_state(LABELS, COUNTS)


@pytest.mark.parametrize("labels", [LABELS, np.eye(3, dtype="float32")[LABELS]])
def test_crossentropy_equals_its_formula(labels):
    """Eq. 12 and 13."""
    counts = COUNTS.astype(float)
    softmax = np.exp(counts) / np.exp(counts).sum(axis=1, keepdims=True)
    expected = -np.log(softmax[np.arange(5), LABELS]).mean()
    assert float(SpikeCountCrossentropy()(labels, COUNTS)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("labels", [LABELS, np.eye(3, dtype="float32")[LABELS]])
def test_mean_squared_error_equals_its_formula(labels):
    expected = ((COUNTS - np.eye(3)[LABELS]) ** 2).mean()
    assert float(SpikeCountMeanSquaredError()(labels, COUNTS)) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("loss", [SpikeCountCrossentropy, SpikeCountMeanSquaredError])
def test_losses_serialise_and_take_sample_weights(loss):
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(loss()))
    weights = np.float32([1, 0, 0, 0, 0])
    weighted = float(again(LABELS, COUNTS, sample_weight=weights))
    assert weighted * 5 == pytest.approx(float(loss()(LABELS[:1], COUNTS[:1])), rel=1e-5)


@pytest.mark.parametrize(
    "loss",
    [
        "sparse_categorical_crossentropy",
        keras.losses.sparse_categorical_crossentropy,
        keras.losses.SparseCategoricalCrossentropy(),
        keras.losses.CategoricalCrossentropy(),
    ],
)
def test_a_loss_of_probabilities_is_warned_of(loss):
    with pytest.warns(UserWarning, match=r"spike counts, but its loss.*Received: \w*cat\w+\."):
        warn_of_probabilities(loss)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    "loss",
    [None, "mse", SpikeCountCrossentropy(), keras.losses.CategoricalCrossentropy(from_logits=True)],
)
def test_a_loss_of_scores_is_not_warned_of(loss):
    warn_of_probabilities(loss)


def test_fit_and_evaluate_warn_of_a_loss_of_probabilities():
    model = build("2F", input_shape=(2, 2, 1), time_steps=1)
    model.compile("sgd", "sparse_categorical_crossentropy")
    x, y = np.ones((2, 2, 2, 1), "float32"), np.array([0, 1])
    for method in (model.evaluate, model.fit):
        with pytest.warns(UserWarning, match="its loss takes probabilities"):
            method(x, y, verbose=0)


def test_a_quantised_ann_warns_of_it_too():
    model = build("2F", input_shape=(2, 2, 1), time_steps=1)
    ann = QuantisedANN(model)
    ann.compile("sgd", "sparse_categorical_crossentropy")
    with pytest.warns(UserWarning, match=r"a QuantisedANN is logits, but its loss .*with a"):
        ann.fit(np.ones((2, 2, 2, 1), "float32"), np.array([0, 1]), verbose=0)


def test_firing_rates_are_means_over_images_layer_by_layer():
    rates = FiringRates(["conv", "readout"])
    assert {name: float(rate) for name, rate in rates.result().items()} == dict.fromkeys(
        ("rate_conv", "rate_readout"), 0.0
    )
    for images, batch in enumerate(([0.5, 0.25], [0.25, 0.75], [0.75, 0.5]), 1):
        rates.update_state(batch, images)
    result = {name: float(rate) for name, rate in rates.result().items()}
    expected = (0.5 + 2 * 0.25 + 3 * 0.75) / 6, (0.25 + 2 * 0.75 + 3 * 0.5) / 6
    assert list(result.values()) == pytest.approx(expected)
    rates.reset_state()
    rates.update_state([1.0, 0.0], 2)
    assert [float(rate) for rate in rates.result().values()] == [1.0, 0.0]
    assert len(rates.variables) == 2  # whatever the number of layers
