"""The opponents of a race, with their packages and settings."""

import importlib.util
from dataclasses import dataclass, field, fields

from _race import Contestant

TASKS = ("train_step", "simulate")
FRAMEWORKS = {"tensorflow": "TensorFlow", "jax": "JAX", "torch": "PyTorch"}
INSTALL = {
    **{name: f'"keras-proxy-snn[{name}]"' for name in FRAMEWORKS},
    "spikingjelly": "--no-deps spikingjelly loguru",
    "snntorch": "--no-deps snntorch",
    "numba": '"keras-proxy-snn[event-driven]"',
}
PACKAGES = {
    **FRAMEWORKS,
    "spikingjelly": "SpikingJelly",
    "snntorch": "snnTorch",
    "numba": "Numba",
}


@dataclass(frozen=True)
class Opponent:
    """One implementation of the benchmark's tasks.

    Attributes:
        label: Name in tables.
        package: Package that must be installed.
        module: Module in this folder.
        prepare: Name of each supported task to the name of its function in `module`.
        settings: Settings of this function.
        fields: Fields of `keras_proxy_snn.Preset` that the opponent sets; the installed version
            must have them.
        through_time: Whether its memory grows with T x batch.
    """

    label: str
    package: str
    module: str
    prepare: dict
    settings: dict = field(default_factory=dict)
    fields: dict = field(default_factory=dict)
    through_time: bool = False


def _ours():
    tasks = {task: task for task in TASKS}
    for name, label in FRAMEWORKS.items():
        label = f"this package, {label}"
        yield name, Opponent(f"{label}, float32", name, "_ours", tasks)
        half = {"current_dtype": "bfloat16"}
        yield f"{name}-bf16", Opponent(f"{label}, bf16", name, "_ours", tasks, fields=half)
        events = {"event_driven": True}
        yield (
            f"{name}-events",
            Opponent(f"{label}, float32, event-driven", name, "_ours", tasks, fields=events),
        )


def _anns():
    for name, label in FRAMEWORKS.items():
        prepare = {"train_step": "ann_step"}
        yield f"{name}-ann", Opponent(f"ANN alone, {label}", name, "_ours", prepare)


def _peers():
    tasks = {task: task for task in TASKS}
    orders = {"s": ("", "step by step"), "m": ("-multi", "layer by layer")}
    for mode, (suffix, order) in orders.items():
        for half in (False, True):
            name = f"spikingjelly{suffix}" + "-bf16" * half
            label = f"authors' algorithm on SpikingJelly, {order}, {'bf16' if half else 'float32'}"
            settings = {"step_mode": mode, "half": half}
            yield name, Opponent(label, "spikingjelly", "_spikingjelly", tasks, settings)
    for package in ("spikingjelly", "snntorch"):
        for half in (False, True):
            name = f"{package}-bptt" + "-bf16" * half
            label = f"surrogate gradient on {PACKAGES[package]}, {'bf16' if half else 'float32'}"
            prepare = {"train_step": "surrogate_step"}
            yield (
                name,
                Opponent(label, package, f"_{package}", prepare, {"half": half}, {}, True),
            )


OPPONENTS = {**dict(_ours()), **dict(_peers()), **dict(_anns())}
# Opponents that serve as references.
AUTHORS, SURROGATE = "spikingjelly", "spikingjelly-bptt"


def names(task):
    """Names of the opponents that support a task."""
    return [name for name, opponent in OPPONENTS.items() if task in opponent.prepare]


def absence(opponent):
    """Why an opponent cannot take part, or an empty string."""
    from keras_proxy_snn import Preset

    needed = [opponent.package, *(["numba"] if opponent.fields.get("event_driven") else [])]
    for package in needed:
        if importlib.util.find_spec(package) is None:
            return f"{PACKAGES[package]}: not installed; pip install {INSTALL[package]}"
    unknown = sorted(set(opponent.fields) - {known.name for known in fields(Preset)})
    return f"not in this version: {', '.join(unknown)}" if unknown else ""


def contestant(name, task, net, time_steps, batch, absent="", in_a_row=1, processor_time=False):
    """An opponent as a `Contestant` of a race.

    `absent` is the reason why it does not take part. `in_a_row` is the number of training steps
    after which the loss is read. `processor_time` counts the processor's seconds, not the clock's.
    """
    opponent = OPPONENTS[name]
    settings = {"net": net, "time_steps": time_steps, "batch": batch, "fields": opponent.fields}
    settings |= {"in_a_row": in_a_row, "processor_time": processor_time}
    return Contestant(
        opponent.label,
        opponent.module,
        opponent.prepare[task],
        {**settings, **opponent.settings},
        {"KERAS_BACKEND": opponent.package} if opponent.package in FRAMEWORKS else {},
        absence(opponent) or absent,
    )
