"""Tandem learning and its progressive form against formulas in NumPy."""

import keras
import numpy as np
import pytest
from keras import ops

import keras_proxy_snn as kps
from keras_proxy_snn import methods
from keras_proxy_snn.methods import progressive_tandem
from keras_proxy_snn.methods.tandem import TANDEM, TandemModel

from . import oracle
from .test_proxy import gradient

to_numpy = ops.convert_to_numpy
SPEC, SHAPE = "4C3-P2-6C3-8F-4F", (6, 6, 2)


def dyadic_network(rng, spec=SPEC, **fields):
    fields = {"input_shape": SHAPE, "time_steps": 4, "v_threshold": 0.5, **TANDEM, **fields}
    network = kps.build(spec, **fields)
    network.set_weights([oracle.dyadic(rng, w.shape) for w in network.get_weights()])
    return network


@pytest.mark.parametrize("training", [False, True])
def test_forward_is_the_spiking_networks(rng, training):
    network = dyadic_network(rng)
    model = TandemModel(network)
    x = oracle.dyadic(rng, (7, *SHAPE), low=0)
    answer = to_numpy(model(x, training=training))
    assert answer.std() > 0
    # All numbers are dyadic, thresholds and T too, so even the linear readout is exact.
    np.testing.assert_array_equal(answer, network.predict(x, verbose=0))
    spikes = {name: to_numpy(s) for name, s in network.snn.record(x).items()}
    for name, rates in model._firing_rates(x).items():
        np.testing.assert_array_equal(to_numpy(rates), spikes[name].mean(axis=1))
    assert set(spikes) - set(model._firing_rates(x)) == {"if_readout"}


@pytest.mark.parametrize("clip", [False, True])
def test_gradient_is_the_anns_on_the_counts_below(rng, clip):
    """dL/da := dL/dr layer by layer; a dense network with a bias, two hidden layers."""
    theta, readout, steps = 0.5, 2.0, 4
    network = dyadic_network(
        rng, "9F-7F-3F", use_bias=True, readout_v_threshold=readout, time_steps=steps, l2=0.0
    )
    model = TandemModel(network, clip=clip)
    weights = [to_numpy(w) for w in model.trainable_variables]
    x = oracle.dyadic(rng, (5, *SHAPE), low=0)
    upstream = rng.normal(size=(5, 3)).astype("float32")

    def loss(*values):
        state = list(zip(model.trainable_variables, values, strict=True))
        with keras.StatelessScope(state_mapping=state):
            return ops.sum(ops.multiply(model(x, training=True), upstream))

    gradients = gradient(loss, *weights)

    inputs, masks, r = [x.reshape(5, -1).astype(float)], [], None
    spikes = [to_numpy(s) for name, s in network.snn.record(x).items()]
    for w, b, s in zip(weights[0:4:2], weights[1:4:2], spikes, strict=False):
        z = inputs[-1] @ w + b
        masks.append((z > 0) & ((z < theta) | (not clip)))
        r = s.mean(axis=1)
        inputs.append(r)  # what the SNN did, not what the ANN says
        assert not np.allclose(r, np.maximum(z, 0) / theta)
    delta = upstream * steps / readout
    for layer in (2, 1, 0):
        np.testing.assert_allclose(gradients[2 * layer], inputs[layer].T @ delta, rtol=1e-4)
        np.testing.assert_allclose(gradients[2 * layer + 1], delta.sum(axis=0), rtol=1e-4)
        if layer:
            delta = (delta @ weights[2 * layer].T) * masks[layer - 1] / theta


def test_pooling_passes_the_gradient_to_the_neuron_that_fires_most(rng):
    network = dyadic_network(rng, "1C1-P2-2F", input_shape=(2, 2, 1), l2=0.0)
    network.set_weights([np.ones((1, 1, 1, 1)), np.ones((1, 2))])
    model = TandemModel(network)
    # Counts are 1, 3, 0 and 2 of 4 steps.
    x = np.float32([0.125, 0.375, 0.0, 0.25]).reshape(1, 2, 2, 1)
    kernel = network.ann.get_layer("conv1").kernel

    def loss(value):
        with keras.StatelessScope(state_mapping=[(kernel, value)]):
            return ops.sum(model(x, training=True))

    (g,) = gradient(loss, np.ones((1, 1, 1, 1), "float32"))
    # Two outputs, each 4 steps / 0.5 of the rate; the rate's slope is x / 0.5 at the pixel.
    assert g.ravel() == pytest.approx([2 * 4 / 0.5 * 0.375 / 0.5])


def test_batch_norm_takes_the_statistics_of_mean_currents(rng):
    network = kps.build(
        "3C3-5F-4F", input_shape=(4, 4, 1), batch_norm=True, v_threshold=0.5, **TANDEM
    )
    x = rng.random((5, 4, 4, 1)).astype("float32")
    model = TandemModel(network)
    rates = to_numpy(model._firing_rates(x)["spike_flatten"])
    model(x, training=True)
    norm = network.ann.get_layer("dense1_batch_norm")
    current = rates @ to_numpy(network.ann.get_layer("dense1").kernel)
    np.testing.assert_allclose(
        to_numpy(norm.moving_mean), 0.1 * current.mean(axis=0), rtol=1e-4, atol=1e-6
    )


def test_settings_that_are_not_tandem_learnings_are_refused(rng):
    with pytest.raises(ValueError, match=r"from 0 to 3\. Received: 4"):
        TandemModel(dyadic_network(rng), spiking=4)
    with pytest.raises(ValueError, match=r"reset='subtract'\. Received: 'zero'"):
        TandemModel(dyadic_network(rng, reset="zero"))


def strict(network, test):
    return network.evaluate(*test, verbose=0, return_dict=True)["accuracy"]


@pytest.mark.slow
def test_digits_are_learned_and_a_killed_training_goes_on(digits, tmp_path):
    (x, y), test = digits
    training = methods.Training(5, 32, validation_data=test, folder=tmp_path)
    trained = methods.fit("tandem", "digits", x, y, training=training, time_steps=8)
    assert type(trained.network) is kps.ProxyModel
    accuracy = strict(trained.network, test)
    assert accuracy > 0.9
    assert trained.history["tandem"]["val_accuracy"][-1] == pytest.approx(accuracy, abs=0.01)
    again = methods.fit("tandem", "digits", x, y, training=training, time_steps=8)
    assert again.history == trained.history
    for a, b in zip(again.network.get_weights(), trained.network.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.any_backend
def test_the_publications_relu_learns_with_batch_norm(digits):
    (x, y), test = digits
    fields = {"time_steps": 8, "batch_norm": True}
    training = methods.Training(3, 32)
    trained = methods.fit("tandem_paper", "digits", x, y, training=training, **fields)
    assert strict(trained.network, test) > 0.85


class Spy:
    """Weights of the ANN by layer, before and after each phase."""

    def __init__(self, monkeypatch):
        self.phases = {}
        self.fit_phase = progressive_tandem.fit_phase
        monkeypatch.setattr(progressive_tandem, "fit_phase", self)

    def __call__(self, model, x, y, training, phase, **kwargs):
        ann = model.network.ann
        before = self.weights(ann)
        history = self.fit_phase(model, x, y, training, phase, **kwargs)
        self.phases[phase] = before, self.weights(ann)
        return history

    def weights(self, ann):
        return {layer.name: [np.array(w) for w in layer.get_weights()] for layer in ann.layers}


@pytest.mark.any_backend
def test_layers_are_replaced_one_by_one_and_frozen(monkeypatch, digits):
    (x, y), test = digits
    spy, steps = Spy(monkeypatch), 8
    training = methods.Training(4, 32, validation_data=test)
    fields = {"time_steps": steps, "spec": "6C3-P2-12F-10F", "batch_norm": True}
    trained = methods.fit("progressive_tandem", "digits", x, y, training=training, **fields)
    hidden = ["conv1", "dense1"]
    assert [*trained.history] == ["ann", *hidden]
    assert [*spy.phases] == [f"spiking_{name}" for name in hidden]
    assert [len(h["loss"]) for h in trained.history.values()] == [2, 1, 1]
    for number, name in enumerate(hidden):
        before, after = spy.phases[f"spiking_{name}"]
        for place, other in enumerate([*hidden, "readout"]):
            layers = [other] if other == "readout" else [other, f"{other}_batch_norm"]
            for layer in layers:
                same = all(map(np.array_equal, before[layer], after[layer]))
                assert same == (place < number), (name, layer)
    network = trained.network
    assert (network.reset, network.readout) == ("subtract", "potential")
    assert network.v_threshold == {**trained.facts["v_threshold"], "readout": steps}
    final = spy.weights(network.ann)
    _, last = spy.phases["spiking_dense1"]
    for name, weights in last.items():
        assert all(map(np.array_equal, weights, final[name])), name
    assert min(float(rate) for rate in network.snn.simulate(x[:50]).firing_rates[:-1]) > 0
    assert strict(network, test) == pytest.approx(
        trained.history["dense1"]["val_accuracy"][-1], abs=0.01
    )


@pytest.mark.any_backend
def test_thresholds_are_percentiles_of_activations(monkeypatch, digits):
    (x, y), _ = digits
    x, y = x[:600], y[:600]
    spy, steps = Spy(monkeypatch), 8
    fields = {"time_steps": steps, "spec": "6C3-8C3-P2-12F-10F"}
    trained = methods.fit(
        "progressive_tandem", "digits", x, y, training=methods.Training(2, 32), **fields
    )
    thresholds = trained.facts["v_threshold"]
    before, after = spy.phases["spiking_conv1"]
    z = oracle.conv_same(x[:512], before["conv1"][0])
    assert thresholds["conv1"] == pytest.approx(np.percentile(np.maximum(z, 0), 99.9), rel=1e-4)

    # Of the sum over T of currents that the first layer's counts cause, over T.
    spikes, _ = oracle.run(
        "6C3", [after["conv1"][0]], x[:512], steps, thresholds["conv1"], "subtract"
    )
    z = oracle.conv_same(spikes[0].sum(axis=1), after["conv2"][0])
    percentile = np.percentile(np.maximum(z, 0), 99.9) / steps
    assert thresholds["conv2"] == pytest.approx(percentile, rel=1e-3)
    before, _ = spy.phases["spiking_conv2"]
    np.testing.assert_allclose(
        before["dense1"][0], after["dense1"][0] * thresholds["conv2"], rtol=1e-5
    )
    np.testing.assert_array_equal(before["conv2"][0], after["conv2"][0])


class Kill(keras.callbacks.Callback):
    """Interrupts the third phase."""

    trainings = 0

    def on_train_begin(self, logs=None):
        self.trainings += 1
        if self.trainings == 3:
            raise KeyboardInterrupt


@pytest.mark.any_backend
@pytest.mark.slow
def test_progressive_digits_are_learned_and_a_killed_training_goes_on(digits, tmp_path):
    (x, y), test = digits
    fields = {"time_steps": 8}
    training = methods.Training(6, 32, test, tmp_path, callbacks=[Kill()])
    with pytest.raises(KeyboardInterrupt):
        methods.fit("progressive_tandem", "digits", x, y, training=training, **fields)
    stored = (tmp_path / "spiking_conv1.weights.h5").read_bytes()
    training = methods.Training(6, 32, test, tmp_path)
    trained = methods.fit("progressive_tandem", "digits", x, y, training=training, **fields)
    assert (tmp_path / "spiking_conv1.weights.h5").read_bytes() == stored
    assert strict(trained.network, test) > 0.9
    again = methods.fit("progressive_tandem", "digits", x, y, training=training, **fields)
    assert (again.history, again.facts) == (trained.history, trained.facts)
    for a, b in zip(again.network.get_weights(), trained.network.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
