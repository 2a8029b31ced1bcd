"""Common to the peers on PyTorch: the network of `_nets`, its ANN, loss and optimizer.

The layout is channels-last, in which PyTorch's convolutions are faster here. Adam is fused.
"""

from contextlib import nullcontext

import torch
from _devices import place
from _nets import batch, kernels
from _workers import IN_A_ROW, Prepared
from torch import nn
from torch.nn import functional as F  # noqa: N812 (PyTorch's own name for it)


class Block(nn.Module):
    """A layer with weights, followed by neurons and, if wanted, by pooling.

    Args:
        linear: Convolution or dense layer.
        v_threshold: Threshold of its neurons.
        norm: Batch normalisation of its currents, or None.
        flatten: Whether its inputs are flattened.
        cap: Bound of the proxy's activation, in thresholds ("clip"); None for a ReLU.
        active: Whether the ANN has an activation here.
    """

    def __init__(self, linear, v_threshold, norm, flatten, cap, active):
        super().__init__()
        self.linear, self.norm = linear, norm
        self.v_threshold, self.flatten, self.cap, self.active = v_threshold, flatten, cap, active
        self.pool = 1

    def current(self, x):
        """Currents of the neurons, batch normalisation as the module's mode says."""
        x = self.linear(x.flatten(1) if self.flatten else x)
        return x if self.norm is None else self.norm(x)

    def folded(self):
        """The same as a function of inputs, with running statistics folded into the weights."""
        weight, bias, norm = self.linear.weight, None, self.norm
        if norm is not None:
            scale = norm.weight * torch.rsqrt(norm.running_var + norm.eps)
            weight = weight * scale.view(-1, *[1] * (weight.dim() - 1))
            bias = norm.bias - norm.running_mean * scale
        if isinstance(self.linear, nn.Conv2d):
            # PyTorch's product of a channels-last weight and a vector may have another layout.
            weight = weight.contiguous(memory_format=torch.channels_last)
            return lambda x: F.conv2d(x, weight, bias, padding="same")
        return lambda x: F.linear(x.flatten(1) if self.flatten else x, weight, bias)

    def pooled(self, x):
        return F.max_pool2d(x, self.pool) if self.pool > 1 else x

    def activation(self, x):
        """Activation of the ANN."""
        if not self.active:
            return x
        return F.relu(x) if self.cap is None else torch.clamp(x / self.v_threshold, 0, self.cap)


class TorchNet:
    """Blocks, images, labels, loss and optimizer of a worker's settings."""

    def __init__(self, settings):
        torch.set_num_threads(settings["threads"])
        self.net, self.time_steps = settings["net"], settings["time_steps"]
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        self.half = settings.get("half", False)
        self.in_a_row = settings.get("in_a_row", 1)
        self.blocks = _blocks(self.net).to(self.device, memory_format=torch.channels_last)
        x, y = batch(self.net, settings["batch"])
        x = torch.from_numpy(x).permute(0, 3, 1, 2).to(self.device)
        self.x = x.contiguous(memory_format=torch.channels_last)
        self.y = torch.from_numpy(y).to(self.device)
        self.optimizer = self._adam()

    def _adam(self):
        net = self.net
        plain = [p for b in self.blocks if b.norm is not None for p in b.norm.parameters()]
        # Keras's L2 penalty lambda * ||w||^2 has the derivative 2 lambda w.
        decayed = {
            "params": [b.linear.weight for b in self.blocks],
            "weight_decay": 2 * net["l2"],
        }
        return torch.optim.Adam(
            [decayed, {"params": plain}] if plain else [decayed],
            lr=net["learning_rate"],
            betas=(net["beta_1"], net["beta_2"]),
            eps=net["epsilon"],
            fused=True,
        )

    def autocast(self):
        """Mixed precision in bfloat16 where the settings ask for it."""
        return torch.autocast(self.device, torch.bfloat16) if self.half else nullcontext()

    def ann(self):
        """Output of the ANN, `(batch, classes)`."""
        x = self.x
        for block in self.blocks:
            x = block.pooled(block.activation(block.current(x)))
        return x

    def loss(self, counts):
        if self.net["loss"] == "mse":
            return F.mse_loss(counts, F.one_hot(self.y, counts.shape[1]).to(counts.dtype))
        return F.cross_entropy(counts, self.y)

    def proxy_gradient(self, counts):
        """The authors' step up to the gradients: loss at the counts, derivative through the ANN."""
        with self.autocast():
            output = self.ann()
        counts = counts.float().requires_grad_()
        loss = self.loss(counts)
        (gradient,) = torch.autograd.grad(loss, counts)
        self.optimizer.zero_grad(set_to_none=True)
        output.backward(gradient.to(output.dtype))
        return loss

    def surrogate_gradient(self, counts):
        """Gradients through time, from counts that can be differentiated."""
        loss = self.loss(counts.float())
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        return loss

    def prepared(self, one):
        """Training steps in a row, each `one()`, which gives the loss."""
        facts, peak = place("torch")
        in_a_row = self.in_a_row

        def step():
            for _ in range(in_a_row):
                loss = one()
                self.optimizer.step()
            if self.device == "cuda":
                torch.cuda.synchronize()
            return loss.item()

        return Prepared(step, facts if in_a_row == 1 else {**facts, IN_A_ROW: in_a_row}, peak)


def _blocks(net):
    weights = iter(zip(kernels(net), net["thresholds"], strict=True))
    cap = 1.0 if net["proxy_activation"] == "clip" else None
    height, width, maps = net["input_shape"]
    blocks, flat = nn.ModuleList(), False
    for at, (kind, number, *_) in enumerate(net["layers"]):
        if kind == "Pool":
            blocks[-1].pool, height, width = number, height // number, width // number
            continue
        kernel, theta = next(weights)
        kernel = torch.from_numpy(kernel)
        last, flatten = at == len(net["layers"]) - 1, kind == "Dense" and not flat
        if kind == "Conv":
            linear = nn.Conv2d(maps, number, kernel.shape[0], padding="same", bias=False)
            kernel, maps = kernel.permute(3, 2, 0, 1), number
        else:
            if flatten:  # Keras flattens (height, width, channels), PyTorch channels first.
                kernel = kernel.view(height, width, maps, number).permute(2, 0, 1, 3)
            kernel, flat = kernel.reshape(-1, number).T, True
            linear = nn.Linear(kernel.shape[1], number, bias=False)
        linear.weight.data = kernel.contiguous()
        norm = _norm(kind, number) if net["batch_norm"] and not last else None
        active = not last or net["readout_activation"] == "relu"
        blocks.append(Block(linear, theta, norm, flatten, cap, active))
    return blocks


def _norm(kind, number):
    # Keras's epsilon and momentum of 0.9; PyTorch defines momentum as 1 minus Keras's.
    cls = nn.BatchNorm2d if kind == "Conv" else nn.BatchNorm1d
    return cls(number, eps=1e-3, momentum=0.1)
