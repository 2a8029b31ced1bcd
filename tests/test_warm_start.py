import keras
import numpy as np
import pytest
from keras import ops

import keras_proxy_snn as kps
from keras_proxy_snn.methods import Training, warm_start
from keras_proxy_snn.methods._conversion import PLAIN
from keras_proxy_snn.methods.proxy import PAPER

SPEC = "6C3-P2-8F-3F"
SHAPE = (6, 6, 1)


def test_scaled_weights_give_the_same_outputs_in_other_units(rng):
    """z_L theta_1 ... theta_L / lambda_L, because no layer has a bias."""
    plain = kps.build(SPEC, input_shape=SHAPE, **{**PAPER, **PLAIN}).ann
    thresholds = {"conv1": 2.0, "readout": 4.0}
    model = kps.build(SPEC, input_shape=SHAPE, **PAPER, v_threshold=thresholds)
    peaks = {"conv1": 0.5, "dense1": 0.25, "readout": 5.0}
    model.ann.set_weights(warm_start.spiking_weights(plain, peaks, model))
    x = rng.random((4, *SHAPE)).astype("float32")
    found, expected = (ops.convert_to_numpy(ann(x)) for ann in (model.ann, plain))
    np.testing.assert_allclose(found, expected * (2 * 1 * 4 / 5), rtol=1e-4, atol=1e-6)


@pytest.mark.slow
def test_a_trained_ann_starts_a_network_that_spikes(digits):
    """Rates near 0 or 1 in a hidden layer would mean that the weights do not fit the neurons."""
    keras.utils.set_random_seed(0)
    (x, y), test = digits
    preset = kps.PRESETS["digits"]
    trained = warm_start.fit(preset, x, y, Training(epochs=4, batch_size=32))
    assert {phase: len(logs["loss"]) for phase, logs in trained.history.items()} == {
        "ann": 3,
        "proxy": 1,
    }
    assert trained.facts["lambda"]["readout"] == preset.time_steps
    assert trained.network.evaluate(*test, verbose=0)[1] > 0.7
    *hidden, _ = kps.statistics.report(trained.network, test[0][:50]).layers
    assert all(0.02 < layer.firing_rate < 0.6 for layer in hidden)
