"""`LayerCosts`: work of one layer, from which sums, traffic and energy are computed."""

from dataclasses import dataclass

__all__ = ["LayerCosts"]


@dataclass(frozen=True, kw_only=True)
class LayerCosts:
    """Work of one layer with neurons per image, as plain numbers; means where data decide.

    Attributes:
        name: Name of the ANN's layer, the twin.
        neurons: Number of neurons.
        inputs: Number of values or neurons that its weights read, after pooling.
        parameters: Weights and biases, batch normalisation folded in.
        has_bias: Whether the folded layer has biases, which the SNN adds at every step.
        multiply_adds: Multiply-adds of the ANN's layer, one per connection; padding has no
            connections. The SNN's first layer makes them too, once per image, because its inputs
            are real numbers and not spikes (direct coding, Eq. 6 of Kheradpisheh et al.,
            "Spiking neural networks trained via proxy").
        nonzero_multiply_adds: Multiply-adds whose input, a pixel or an activation, is not zero.
        nonzero_inputs: Number of inputs that are not zero.
        input_spikes: Spikes that enter the SNN's layer in all T steps; 0 for the first layer.
        synops: Synaptic operations, which are additions of a weight to a potential: each input
            spike causes one addition per neuron that it reaches. 0 for the first layer. Max
            pooling is an OR without weights and adds nothing. Stages between spikes and neurons
            count for this layer: a spike that enters a sum (the shortcut of a residual block) is
            one addition; a spike that enters an average is one addition per window; and a
            current other than zero that enters weights or averages counts as a spike, at each
            step. If several layers read one result, it counts for the first of them.
    """

    name: str
    neurons: int
    inputs: int
    parameters: int
    has_bias: bool
    multiply_adds: int
    nonzero_multiply_adds: float
    nonzero_inputs: float
    input_spikes: float
    synops: float
