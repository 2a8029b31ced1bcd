"""What each stage says of itself is what it does."""

import keras
import numpy as np
import pytest
from keras import layers as k
from keras import ops

from keras_proxy_snn.layers import (
    AtEachStep,
    CurrentSum,
    IFActivation,
    IFBatchNormalization,
    IFConv2D,
    IFDense,
    IFDepthwiseConv2D,
    IFSeparableConv2D,
    SpikeConcatenate,
    SpikeFlatten,
    SpikePool2D,
    Synapses,
)
from keras_proxy_snn.simulation.nodes import Node, as_nodes, carry_spikes

MAPS = (5, 4, 4)
ONES = {"use_bias": False, "padding": "same", "strides": 2}
WITH_WEIGHTS = {
    "conv": lambda: IFConv2D(6, (3, 2), use_bias=False, dilation_rate=2, padding="same"),
    "groups": lambda: IFConv2D(6, 3, groups=2, **ONES),
    "depthwise": lambda: IFDepthwiseConv2D(twin=k.DepthwiseConv2D(3, depth_multiplier=2, **ONES)),
    "separable": lambda: IFSeparableConv2D(twin=k.SeparableConv2D(3, 2, **ONES)),
    "dense": lambda: IFDense(3, use_bias=False),
    "synapses": lambda: Synapses(IFConv2D(2, 3, **ONES)),
}
OTHERS = {
    "activation": lambda: IFActivation(twin=k.ReLU()),
    "normalisation": lambda: IFBatchNormalization(twin=k.BatchNormalization()),
    "sum": lambda: CurrentSum([2.0]),
    "concatenation": SpikeConcatenate,
    "flatten": SpikeFlatten,
    "pool": lambda: SpikePool2D((3, 2), 2, "same"),
    "average": lambda: AtEachStep(k.AveragePooling2D((3, 2), 2)),
    "global average": lambda: AtEachStep(k.GlobalAveragePooling2D()),
    "global maximum": lambda: AtEachStep(k.GlobalMaxPooling2D()),
    "zero padding": lambda: AtEachStep(k.ZeroPadding2D(1)),
    "permutation": lambda: AtEachStep(k.Permute((2, 1, 3))),
    "rescaling": lambda: AtEachStep(k.Rescaling(0.5)),
}


def built(make):
    stage = make()
    shape = (20,) if isinstance(stage, IFDense) else MAPS
    stage.build((None, 1, *shape))
    return stage, shape


@pytest.mark.parametrize("name", WITH_WEIGHTS)
def test_fan_out_is_a_count_of_the_outputs_that_one_input_reaches(name):
    stage, shape = built(WITH_WEIGHTS[name])
    stage.twin.set_weights([np.ones(w.shape) for w in stage.twin.weights])
    single = np.eye(np.prod(shape), dtype="float32").reshape(-1, *shape)
    currents = ops.convert_to_numpy(stage.tied().linear(single, stage.synaptic_weights()))
    reached = np.count_nonzero(currents.reshape(len(single), -1), axis=1)
    np.testing.assert_array_equal(stage.fan_out(shape).ravel(), reached)


@pytest.mark.parametrize("name", ["average", "pool"])
def test_fan_out_of_a_pooling_counts_windows(name):
    stage, shape = built(OTHERS[name])
    single = np.eye(np.prod(shape), dtype="float32").reshape(-1, 1, *shape)
    reached = np.count_nonzero(ops.convert_to_numpy(stage(single)), axis=(1, 2, 3, 4))
    np.testing.assert_array_equal(stage.fan_out(shape).ravel(), reached)


@pytest.mark.parametrize("name", WITH_WEIGHTS)
def test_the_full_kernel_gives_the_currents(name, rng):
    stage, shape = built(WITH_WEIGHTS[name])
    inputs = ops.convert_to_tensor((rng.random((2, *shape)) < 0.4).astype("float32"))
    weights = stage.synaptic_weights()
    full = stage.tied().full_kernel(ops.convert_to_numpy(weights.kernel))
    if (window := stage.window) is None:
        sums = ops.matmul(inputs, full)
    else:
        _, strides, padding, dilation = window
        sums = ops.conv(inputs, full, strides, padding, "channels_last", dilation)
    expected = ops.convert_to_numpy(stage.tied().linear(inputs, weights))
    np.testing.assert_allclose(ops.convert_to_numpy(sums), expected, atol=1e-5)


@pytest.mark.parametrize("name", [*OTHERS, *WITH_WEIGHTS])
def test_a_stage_that_gives_spikes_says_so(name, rng):
    stage, shape = built({**OTHERS, **WITH_WEIGHTS}[name])
    spikes = (rng.random((4, 3, *shape)) < 0.4).astype("float32")
    outputs = ops.convert_to_numpy(stage(spikes))
    are_spikes = set(np.unique(outputs)) <= {0.0, 1.0}
    assert are_spikes == (stage.has_neurons or stage.passes_spikes)
    (node,) = as_nodes([stage])
    reads = Node(stage, ("spikes",))
    before = Node(IFActivation(twin=k.ReLU(), name="spikes"), node.inputs)
    assert carry_spikes([before, reads]) == {"spikes", *([stage.name] if are_spikes else [])}


def test_an_average_is_not_rounded_to_the_dtype_of_the_ann(rng):
    spikes = (rng.random((4, 3, 7, 7, 2)) < 0.4).astype("float32")
    average = AtEachStep(k.AveragePooling2D(3, 2, dtype="mixed_bfloat16"))
    windows = np.lib.stride_tricks.sliding_window_view(spikes, (3, 3), axis=(2, 3))[:, :, ::2, ::2]
    means = ops.convert_to_numpy(average(spikes))
    np.testing.assert_allclose(means, windows.mean(axis=(-2, -1)), rtol=1e-6)


def test_a_layer_that_is_no_stage_is_refused():
    with pytest.raises(TypeError, match=r"around a layer of Keras\. Received: <Flatten"):
        as_nodes([keras.layers.Flatten()])
