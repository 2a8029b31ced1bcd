"""The highest speed of the machine: one large 3 x 3 convolution and one large matrix product.

The convolution is same-padded, in channels-last layout, and keeps the shape `images x 28 x 28 x
maps`. The matrices are square. Both run alone, in float32 or bfloat16.
"""

import numpy as np
from _devices import place
from _workers import Prepared

SIDE, KERNEL = 28, 3


def multiply_adds(settings):
    """Multiply-adds of one step of `prepare`; padding counts as inputs."""
    if settings["operation"] == "product":
        return settings["size"] ** 3
    return settings["images"] * SIDE**2 * (KERNEL * settings["maps"]) ** 2


def prepare(settings):
    """One operation of one framework."""
    rng = np.random.default_rng(0)
    if settings["operation"] == "product":
        arrays = [rng.normal(size=(settings["size"],) * 2) for _ in range(2)]
    else:
        maps = settings["maps"]
        arrays = [rng.normal(size=(settings["images"], SIDE, SIDE, maps))]
        arrays += [rng.normal(size=(KERNEL, KERNEL, maps, maps))]
    arrays = [array.astype("float32") for array in arrays]
    run = {"tensorflow": _tensorflow, "jax": _jax, "torch": _torch}[settings["framework"]]
    return Prepared(run(settings, *arrays), *place(settings["framework"]))


def _tensorflow(settings, a, b):
    import tensorflow as tf

    a, b = (tf.cast(array, settings["dtype"]) for array in (a, b))
    is_product = settings["operation"] == "product"
    run = tf.function(lambda: a @ b if is_product else tf.nn.conv2d(a, b, 1, "SAME"))
    # One element is enough to wait for all.
    return lambda: float(tf.reshape(run(), [-1])[0])


def _jax(settings, a, b):
    import jax
    import jax.numpy as jnp

    a, b = (jnp.asarray(array, settings["dtype"]) for array in (a, b))

    @jax.jit
    def run(a, b):
        if settings["operation"] == "product":
            return a @ b
        layout = ("NHWC", "HWIO", "NHWC")
        return jax.lax.conv_general_dilated(a, b, (1, 1), "SAME", dimension_numbers=layout)

    return lambda: float(run(a, b).ravel()[0])


def _torch(settings, a, b):
    import torch
    from torch.nn import functional as F  # noqa: N812 (PyTorch's own name for it)

    torch.set_num_threads(settings["threads"])
    device = "cuda" if torch.cuda.is_available() else "cpu"
    a, b = (torch.from_numpy(x).to(device, getattr(torch, settings["dtype"])) for x in (a, b))
    if settings["operation"] != "product":
        a = a.permute(0, 3, 1, 2)
        b = b.permute(3, 2, 0, 1).contiguous(memory_format=torch.channels_last)

    def run():
        with torch.no_grad():
            done = a @ b if settings["operation"] == "product" else F.conv2d(a, b, padding=1)
        if device == "cuda":
            torch.cuda.synchronize()
        return done[(0,) * done.dim()].item()

    return run
