"""The authors' algorithm, and surrogate gradients through time, implemented with SpikingJelly.

Each uses the best setting found, with weights and layout as in `_torch_net`:

* The first layer's current is computed once, and batch normalisation is folded into the weights of
  the spiking forward, which runs under `no_grad`.
* `"s"`: all layers step by step, as the authors' notebook does. `"m"`: layer by layer, all steps
  folded into the batch of one convolution, SpikingJelly's multi-step mode.
* Surrogate gradients: always layer by layer, with the arctangent. The reset is differentiated,
  which is SpikingJelly's default.
"""

import torch
from _devices import place
from _torch_net import TorchNet
from _workers import Prepared
from spikingjelly.activation_based import functional, neuron, surrogate


class SpikingJelly(TorchNet):
    """IF neurons of SpikingJelly behind the blocks."""

    def __init__(self, settings):
        super().__init__(settings)
        self.step_mode = settings["step_mode"]
        v_reset = 0.0 if self.net["reset"] == "zero" else None
        self.neurons = torch.nn.ModuleList(
            neuron.IFNode(
                v_threshold=block.v_threshold,
                v_reset=v_reset,
                surrogate_function=surrogate.ATan(),
                step_mode=self.step_mode,
            )
            for block in self.blocks
        )

    def counts(self):
        """Spike counts `(batch, classes)` without a derivative."""
        with torch.no_grad(), self.autocast():
            linear = [block.folded() for block in self.blocks]
            forward = self._step_by_step if self.step_mode == "s" else self._layer_by_layer
            counts = forward(linear)
        functional.reset_net(self.neurons)
        return counts

    def differentiable_counts(self):
        """Spike counts that can be differentiated through all steps."""
        with self.autocast():
            counts = self._layer_by_layer([block.current for block in self.blocks])
        functional.reset_net(self.neurons)
        return counts

    def _step_by_step(self, linear):
        current, counts = linear[0](self.x), 0
        for _ in range(self.time_steps):
            spikes = self.blocks[0].pooled(self.neurons[0](current))
            rest = zip(linear[1:], self.neurons[1:], self.blocks[1:], strict=True)
            for function, neurons, block in rest:
                spikes = block.pooled(neurons(function(spikes)))
            counts = counts + spikes
        return counts

    def _layer_by_layer(self, linear):
        current = linear[0](self.x)
        current = current.expand(self.time_steps, *current.shape)
        fold = (self.time_steps, -1)
        for at, (neurons, block) in enumerate(zip(self.neurons, self.blocks, strict=True)):
            # Its kernels for GPUs take currents in bfloat16, but not potentials.
            neurons.v = torch.zeros_like(current[0], dtype=torch.float32)
            spikes = block.pooled(neurons(current).flatten(0, 1))
            if at + 1 < len(linear):
                current = linear[at + 1](spikes).unflatten(0, fold)
        return spikes.unflatten(0, fold).sum(0)


def train_step(settings):
    """The authors' algorithm: SNN and ANN forward, counts in place of the output, Adam."""
    net = SpikingJelly(settings)
    return net.prepared(lambda: net.proxy_gradient(net.counts()))


def surrogate_step(settings):
    """Backpropagation through time with Adam."""
    net = SpikingJelly({**settings, "step_mode": "m"})
    return net.prepared(lambda: net.surrogate_gradient(net.differentiable_counts()))


def simulate(settings):
    """The spiking forward alone; the result is the spike counts."""
    net = SpikingJelly(settings)
    return Prepared(lambda: net.counts().round().int().tolist(), *place("torch"))
