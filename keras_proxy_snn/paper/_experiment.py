"""`Experiment`, `Size`, `Run` and `Config`: experiments as plain data, without Keras."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

__all__ = ["SIZES", "Config", "Experiment", "Run", "Size"]

SIZES = ("full", "compact", "tiny")
"""`full`: the paper's networks; `compact`: for two CPU cores; `tiny`: digits, for tests."""


@dataclass(frozen=True)
class Run:
    """A row of a table, or a point of a curve: one method at one T.

    Attributes:
        method: Name of the method, one of `keras_proxy_snn.methods.METHODS`.
        time_steps: Number T of time steps; `None` for the ANN.
        fields: Fields of the preset to replace.
        label: Title of the row; the method's title if empty.
        paper: Accuracy in the paper, in percent, if its text gives it.
        paper_time_steps: T of `paper`, if it differs from `time_steps`.
        evaluate_at: Further T at which the trained network is evaluated.
        rule: Accuracy that a table of levers shows, see `keras_proxy_snn.paper._evaluation.RULES`.
        stops_early: Whether a table of levers shows simulations that stop once a class leads
            clearly.
    """

    method: str
    time_steps: int | None = None
    fields: Mapping[str, Any] = field(default_factory=dict)
    label: str = ""
    paper: float | None = None
    paper_time_steps: int | None = None
    evaluate_at: tuple[int, ...] = ()
    rule: str = "strict"
    stops_early: bool = False


@dataclass(frozen=True)
class Size:
    """An experiment at one size.

    Attributes:
        preset: Name of the preset.
        epochs: Passes over the training images.
        runs: Rows, in order.
        seeds: Each run is trained once per seed.
        batch_size: Images per step.
        augment: Whether all methods see images shifted and mirrored at random, see
            `keras_proxy_snn.methods.Training`.
        hold_out: Whether the last training images are held out. `False`: networks are trained on
            all training images, as in the paper; choose settings with held-out images before.

    Raises:
        ValueError: If nothing is held out and a run stops early; its margin is chosen on held-out
            images.
    """

    preset: str
    epochs: int
    runs: tuple[Run, ...]
    seeds: tuple[int, ...] = (0,)
    batch_size: int = 100
    augment: bool = False
    hold_out: bool = True

    def __post_init__(self) -> None:
        stopping = [run.method for run in self.runs if run.stops_early]
        if stopping and not self.hold_out:
            raise ValueError(
                "The margin of early stopping is chosen on held-out images. Received: "
                f"hold_out=False, stops_early=True for {stopping}."
            )


@dataclass(frozen=True)
class Experiment:
    """A table or figure of the paper, or a further experiment of this package.

    Attributes:
        name: Name on the command line.
        title: Title for captions.
        sizes: Names from `SIZES` to `Size`.
        drawings: Names of its tables and figures, see `keras_proxy_snn.paper.drawing`.
        also: Experiments whose trained rows stand in a table below, at the same size.
    """

    name: str
    title: str
    sizes: Mapping[str, Size]
    drawings: tuple[str, ...] = ("table",)
    also: "tuple[Experiment, ...]" = ()


@dataclass(frozen=True)
class Config:
    """All settings of a training. Experiments with equal settings share the training.

    Attributes:
        method: Name of the method.
        preset: Name of the preset.
        time_steps: Number T of time steps in training; `None` if training does not depend on T.
        seed: Seed of the weights and of the order of images.
        epochs: Passes over the training images.
        batch_size: Images a step.
        fields: Fields of the preset that are replaced.
        backend: Backend of Keras.
        augment: As in `Size`.
        hold_out: As in `Size`.

    Example:

    >>> from keras_proxy_snn.paper import Config
    >>> Config("proxy", "digits", 8, 0, 2, 32, {}, "jax").id
    'digits-proxy-T8-epochs2-seed0-jax-85b2ca'
    """

    method: str
    preset: str
    time_steps: int | None
    seed: int
    epochs: int
    batch_size: int
    fields: Mapping[str, Any]
    backend: str
    augment: bool = False
    hold_out: bool = True

    def as_dict(self) -> dict[str, Any]:
        """The settings as values that JSON can hold."""
        values: dict[str, Any] = json.loads(json.dumps(asdict(self), sort_keys=True))
        # Older results have no such settings, and their file names depend on the settings.
        for name, usual in (("augment", False), ("hold_out", True)):
            if values[name] is usual:
                del values[name]
        return values

    @property
    def id(self) -> str:
        """Name of its files; the hash at its end covers the settings that the name leaves out."""
        digest = hashlib.sha256(json.dumps(self.as_dict()).encode()).hexdigest()[:6]
        steps = [] if self.time_steps is None else [f"T{self.time_steps}"]
        parts = [self.preset, self.method, *steps, f"epochs{self.epochs}", f"seed{self.seed}"]
        return "-".join([*parts, self.backend, digest])
