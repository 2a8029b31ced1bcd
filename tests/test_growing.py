import keras_proxy_snn as kps
from keras_proxy_snn.methods import Training, growing


def test_one_epoch_more_is_trained_while_t_is_short(digits):
    (x, y), _ = digits
    trained = growing.fit(kps.PRESETS["digits"], x[:64], y[:64], Training(epochs=3))
    assert {phase: len(logs["loss"]) for phase, logs in trained.history.items()} == {
        "T10": 2,
        "T20": 1,
    }
    assert trained.network.time_steps == 20
