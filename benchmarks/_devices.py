"""The device of a framework, and the peak of its memory."""

import importlib


def place(framework):
    """`(facts, device_peak)` of `_workers.Prepared` for "tensorflow", "jax" or "torch"."""
    module = importlib.import_module(framework)
    if framework == "torch":
        if module.cuda.is_available():
            return {"device": module.cuda.get_device_name()}, module.cuda.max_memory_allocated
    elif framework == "jax":
        device = module.devices()[0]
        if device.platform != "cpu":
            facts = {"device": device.device_kind}
            return facts, lambda: device.memory_stats()["peak_bytes_in_use"]
    elif module.config.list_physical_devices("GPU"):
        info = module.config.experimental.get_memory_info
        return {"device": "GPU"}, lambda: info("GPU:0")["peak"]
    return {"device": "cpu"}, None
