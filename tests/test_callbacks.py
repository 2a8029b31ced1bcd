import warnings

import keras
import numpy as np
import pytest

import keras_proxy_snn as kps


def watch(monitor, batches, epoch=False, **fields):
    """Feed logs to a monitor as `fit` would, and return the warnings it gave."""
    monitor.set_model(kps.build("digits", time_steps=1, **fields))
    monitor.model.stop_training = False
    monitor.on_epoch_begin(0)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for index, logs in enumerate(batches):
            monitor.on_train_batch_end(index, {"proxy_distance": 0.1, **logs})
        if epoch:
            monitor.on_epoch_end(0, {"proxy_distance": 0.1, **batches[-1]})
    assert {w.category for w in caught} <= {kps.CollapseWarning}
    return [str(w.message) for w in caught]


def test_healthy_training_is_quiet():
    assert watch(kps.ProxyMonitor(patience=1), [{"rate_conv1": 0.2}] * 9, epoch=True) == []


@pytest.mark.parametrize(
    ("logs", "parts"),
    [
        ({"rate_conv2": 0.95}, ["'conv2'", "0.95", "a lower learning rate"]),
        ({"rate_dense1": 0.0}, ["'dense1' is silent", "`v_threshold`"]),
        ({"proxy_distance": 0.9}, ["drifted apart", "0.90", "often passes by itself"]),
        ({"proxy_distance": float("nan")}, ["drifted apart"]),
    ],
)
def test_a_warning_names_the_layer_and_the_cure(logs, parts):
    monitor = kps.ProxyMonitor(patience=3)
    assert watch(monitor, [logs] * 2) == []
    (message,) = watch(monitor, [logs] * 6)
    for part in parts:
        assert part in message
    assert monitor.warned == list(logs)
    assert not monitor.model.stop_training


@pytest.mark.parametrize("activation", ["relu", "clip"])
@pytest.mark.parametrize("batch_norm", [True, False])
def test_no_cure_is_what_the_model_has_already(activation, batch_norm):
    fields = {"proxy_activation": activation, "batch_norm": batch_norm}
    (message,) = watch(kps.ProxyMonitor(patience=1), [{"proxy_distance": 0.9}], **fields)
    assert ("proxy_activation='clip'" in message) == (activation == "relu")
    assert ("kernel_initializer='rate_preserving'" in message) == (not batch_norm)


def test_a_drift_in_a_later_epoch_does_not_pass_by_itself():
    monitor, bad = kps.ProxyMonitor(), {"proxy_distance": 0.9}
    watch(monitor, [{}])
    monitor.on_epoch_begin(1)
    with pytest.warns(kps.CollapseWarning) as caught:
        monitor.on_epoch_end(1, bad)
    assert "by itself" not in str(caught[0].message)


def test_patience_counts_batches_in_a_row_and_an_epoch_is_enough():
    monitor = kps.ProxyMonitor(patience=3)
    bad, good = {"rate_conv1": 0.9}, {"rate_conv1": 0.1}
    assert watch(monitor, [bad, bad, good, bad, bad]) == []
    assert watch(monitor, [good, good, bad], epoch=True) == []
    assert len(watch(monitor, [good] * 9 + [bad], epoch=True)) == 1


def test_a_fresh_network_is_not_judged_by_two_steps_but_every_later_epoch_is():
    monitor = kps.ProxyMonitor()
    bad = {"rate_conv1": 0.0, "rate_readout": 0.1, "proxy_distance": 0.9}
    assert watch(monitor, [bad] * 2, True) == []
    with pytest.warns(kps.CollapseWarning) as caught:
        monitor.on_epoch_end(1, bad)
    assert len(caught) == 2
    monitor.on_epoch_begin(2)
    monitor.on_epoch_end(2, bad)  # a second warning would be an error
    assert len(watch(monitor, [bad] * 10, True)) == 2  # the end of a first epoch, before `patience`


@pytest.mark.parametrize("rate", [0.0, 0.9])
def test_the_cure_of_a_readout_is_its_own_threshold(rate):
    (message,) = watch(kps.ProxyMonitor(patience=1), [{"rate_conv1": 0.2, "rate_readout": rate}])
    assert "Layer 'readout'" in message
    assert "`readout_v_threshold`" in message
    assert "`v_threshold`" not in message


def test_a_monitor_shows_its_bounds_and_what_it_has_warned_of():
    monitor = kps.ProxyMonitor(patience=1)
    watch(monitor, [{"rate_conv1": 0.9}])
    assert repr(monitor) == (
        "<ProxyMonitor max_rate=0.6, min_rate=0.0001, max_distance=0.5, patience=1, stop=False, "
        "warned=['rate_conv1']>"
    )


def test_the_first_silent_layer_is_named_as_the_cause():
    monitor = kps.ProxyMonitor(patience=1)
    silent = {"rate_conv1": 0.1, "rate_conv2": 0.0, "rate_dense1": 0.0, "rate_readout": 0.0}
    (message,) = watch(monitor, [silent] * 3)
    assert message.startswith("Layer 'conv2' is silent")
    assert "So dense1, readout are silent too." in message
    assert monitor.warned == ["rate_conv2"]
    (message,) = watch(kps.ProxyMonitor(patience=1), [{"proxy_distance": 1.0, "rate_readout": 0.0}])
    assert message.startswith("Layer 'readout' is silent")  # nothing is said of its distance
    # What stays silent when the cause has gone has a cause of its own.
    first, second = watch(monitor, [silent, {**silent, "rate_conv2": 0.1}])
    assert first.startswith("Layer 'conv2'")
    assert second.startswith("Layer 'dense1'")


def with_dead_maps():
    """A network whose maps 1 and 3 of `conv1` cannot fire, and its images."""
    model = kps.build("4C3-P2-10F", input_shape=(8, 8, 1), time_steps=2, v_threshold=0.1)
    kernel = np.abs(model.ann.layers[0].get_weights()[0])
    kernel[..., [1, 3]] *= -1
    model.ann.layers[0].set_weights([kernel])
    return model, np.full((3, 8, 8, 1), 0.9, "float32")


def test_dead_maps_are_told_once_and_by_index():
    model, images = with_dead_maps()
    monitor = kps.ProxyMonitor(stop=True, images=images)
    monitor.set_model(model)
    model.stop_training = False
    monitor.on_epoch_begin(0)
    logs = {"proxy_distance": 0.1}
    monitor.on_train_batch_end(0, logs)
    monitor.on_epoch_end(0, logs)  # too early for a warning
    assert monitor.dead_maps == {"conv1": (1, 3)}
    with pytest.warns(kps.CollapseWarning, match=r"'conv1': maps 1, 3 \(2 of 4\) did not spike"):
        monitor.on_epoch_end(1, logs)
    monitor.on_epoch_end(2, logs)  # a second warning would be an error
    assert not model.stop_training
    assert monitor.warned == []


def test_it_can_stop_the_training():
    monitor = kps.ProxyMonitor(patience=1, stop=True)
    watch(monitor, [{"rate_conv1": 0.9}])
    assert monitor.model.stop_training


def test_a_real_collapse_is_seen_and_the_cure_works(digits):
    """The published form at a small threshold and few steps, on real images."""
    (x, y), _ = digits
    published = {"proxy_activation": "relu", "readout_activation": "relu"}
    shared = {"v_threshold": 0.1, "time_steps": 6, "learning_rate": 5e-3}
    monitor = kps.ProxyMonitor(stop=True)
    model = kps.build("digits", **shared, **published)
    with pytest.warns(kps.CollapseWarning, match="Cure"):
        model.fit(x, y, epochs=10, verbose=0, callbacks=[monitor])
    assert monitor.warned
    assert monitor.model.stop_training


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"max_rate": 2.0}, "max_rate=2.0"),
        ({"min_rate": 0.7}, "min_rate=0.7"),
        ({"max_distance": 0}, "Received: 0"),
        ({"patience": 0}, "Received: 0"),
    ],
)
def test_bad_bounds_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        kps.ProxyMonitor(**arguments)


def test_another_model_is_refused():
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    with pytest.raises(ValueError, match=r"training of a ProxyModel.*\['loss'\]"):
        model.fit(np.ones((2, 2)), np.ones((2, 1)), verbose=0, callbacks=[kps.ProxyMonitor()])
