"""A CNN of any graph and its spiking twin."""

import numpy as np
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from keras import layers, ops

from keras_proxy_snn import ProxyModel
from keras_proxy_snn.mapping.twin import spiking_twin

from . import oracle
from .graphs import GraphBuilder

to_numpy = ops.convert_to_numpy

KINDS = st.sampled_from(
    [
        "plain",
        "grouped",
        "depthwise",
        "separable",
        "normalise",
        "average",
        "maximum",
        "pad",
        "add",
        "concatenate",
        "dropout",
    ]
)


def random_cnn(rng, kinds, input_shape, thetas, softmax):
    """A graph with ReLUs after two of three weights; thresholds by position and by name."""
    builder = GraphBuilder(rng, input_shape)
    place = -1
    for kind in kinds:
        if builder.bits[place] > 10 and kind not in ("maximum", "pad", "add", "concatenate"):
            place = builder.fire(place, rng.choice(thetas))
        if kind in ("plain", "grouped", "depthwise", "separable"):
            place = builder.convolution(place, kind)
        elif kind in ("add", "concatenate"):
            place = builder.join(place, kind)
        elif kind == "dropout":
            layer = layers.Dropout(0.5)
            bits, what = builder.bits[place], builder.kinds[place]
            place = builder.add(layer, lambda x: x, (place,), bits, what)
        else:
            place = getattr(builder, kind)(place)
        if builder.kinds[place] == "currents" and rng.random() < 0.67:
            place = builder.fire(place, rng.choice(thetas))
    if builder.bits[place] > 10:
        place = builder.fire(place, rng.choice(thetas))
    return builder, builder.readout(place, 3, rng.choice(thetas), softmax)


def thresholds_of(ann, builder):
    """Thresholds by name of the layers with neurons, from those by place."""
    places = {id(t._keras_history.operation): p for p, t in builder.tensors.items()}
    twin = spiking_twin(ann)
    readout = builder.neurons[len(builder.steps) - 1]
    found = {}
    for name, last in twin.activations.items():
        place = places.get(id(twin.graph.calls[last].layer))
        found[name] = float(builder.neurons.get(place, readout))
    return found


@settings(max_examples=8, phases=[Phase.explicit, Phase.generate])
@given(
    kinds=st.lists(KINDS, min_size=1, max_size=7),
    input_shape=st.tuples(st.integers(4, 6), st.integers(4, 6), st.integers(1, 2)),
    steps=st.integers(1, 5),
    chunk=st.integers(1, 4),
    reset=st.sampled_from(["zero", "subtract"]),
    v_0=st.sampled_from([0.0, 0.5]),
    height=st.sampled_from(["one", "threshold"]),
    softmax=st.booleans(),
    seed=st.integers(0, 2**16),
)
def test_random_graphs_equal_the_oracle(
    kinds, input_shape, steps, chunk, reset, v_0, height, softmax, seed
):
    rng = np.random.default_rng(seed)
    builder, ann = random_cnn(rng, kinds, input_shape, [0.5, 1.0, 2.0], softmax)
    thresholds = thresholds_of(ann, builder)
    model = ProxyModel(ann, steps, thresholds, reset, chunk, v_0=v_0, spike_height=height)
    x = oracle.dyadic(rng, (3, *input_shape), low=0, high=257)
    signals, potentials = oracle.run_graph(
        builder.steps, x, steps, builder.neurons, reset, v_0, graded=height == "threshold"
    )
    theta = builder.neurons[len(builder.steps) - 1] if height == "threshold" else 1.0
    simulation = model.snn.simulate(x)
    np.testing.assert_array_equal(to_numpy(simulation.spike_counts), signals[-1].sum(1) / theta)
    np.testing.assert_array_equal(
        to_numpy(simulation.potential), potentials[len(builder.steps) - 1]
    )
