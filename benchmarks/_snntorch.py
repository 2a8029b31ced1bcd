"""Surrogate gradients through time on snnTorch, weights and layout as in `_torch_net`.

`Leaky` with `beta=1` is an IF neuron (it fires above the threshold, not at it; its reset is never
differentiated). The library's neurons compute single steps, so they are called step by step. But
layers run one after another: one convolution does all steps of a layer. The loop of the tutorials
would need one convolution per step.
"""

import snntorch
import torch
from _torch_net import TorchNet
from snntorch import surrogate


class SnnTorch(TorchNet):
    """Neurons of snnTorch behind the blocks."""

    def __init__(self, settings):
        super().__init__(settings)
        self.neurons = torch.nn.ModuleList(
            snntorch.Leaky(
                beta=1.0,
                threshold=block.v_threshold,
                spike_grad=surrogate.atan(),
                reset_mechanism=self.net["reset"],
            )
            for block in self.blocks
        ).to(self.device)

    def differentiable_counts(self):
        """Spike counts that can be differentiated through all steps."""
        with self.autocast():
            current = self.blocks[0].current(self.x)
            currents = [current] * self.time_steps
            for at, (neurons, block) in enumerate(zip(self.neurons, self.blocks, strict=True)):
                v, spikes = torch.zeros_like(currents[0]), []
                for step_current in currents:
                    fired, v = neurons(step_current, v)
                    spikes.append(fired)
                if at + 1 < len(self.blocks):
                    together = block.pooled(torch.cat(spikes))
                    current = self.blocks[at + 1].current(together)
                    currents = current.unflatten(0, (self.time_steps, -1)).unbind()
            return torch.stack(spikes).sum(0)


def surrogate_step(settings):
    """Backpropagation through time with Adam."""
    net = SnnTorch(settings)
    return net.prepared(lambda: net.surrogate_gradient(net.differentiable_counts()))
