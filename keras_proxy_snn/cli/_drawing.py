"""The work of `keras-proxy-snn draw`: one method per picture."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .. import statistics, visualization
from ..basics.files import replacing
from ..basics.progress import Progress
from ..model import ProxyModel
from ._data import Images
from ._pictures import new_pictures
from ._shared import BadInput

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Artist", "Subject", "of_file", "of_test"]

# Number of images for histograms of rates; all their spikes are held in memory.
_RECORDED = 32


class Subject(NamedTuple):
    """What a command draws.

    Attributes:
        image: The image for pictures of one image.
        image_name: What titles call it.
        class_names: Names of the classes; `None` for those of the model.
        labelled: Images and labels for accuracies; `None` if there are no labels.
    """

    image: np.ndarray
    image_name: str
    class_names: tuple[str, ...] | None
    labelled: tuple[Any, Any] | None = None


def of_test(test: Images, image: int, images: int) -> Subject:
    """A test image by its number, and the first test images for accuracies."""
    x, y = test.first(images).arrays()
    pixels = x[image] if image < images else test.first(image + 1).arrays()[0][image]
    file, label = test.told(image)
    name = f"{file or f'image {image} of {test.name}'}, class {label}"
    return Subject(pixels, name, test.class_names, (x, y))


def of_file(file: Path, network: ProxyModel, invert: bool) -> Subject:
    """A picture whose class nobody knows, with dark and light exchanged if `invert` is set.

    Raises:
        BadInput: If the file holds several images.
    """
    x, _ = new_pictures((file,), network, invert)
    if len(x) != 1:
        raise BadInput(f"The file to draw must be one picture. Received: {file}, {len(x)} images.")
    return Subject(x[0], str(file), None)


class Artist:
    """Draws one model; each method has the name of its picture.

    Args:
        model: The model.
        subject: What to draw.
        history: Logs of each epoch; none if the training is not known.
    """

    def __init__(self, model: ProxyModel, subject: Subject, history: list[dict[str, float]]):
        self._model, self._history = model, history
        self._image, self._image_name, self._names, labelled = subject
        if labelled is not None:
            self._x, self._y = labelled

    def possible(self, pictures: Sequence[str]) -> list[str]:
        """The pictures that can be drawn of this model."""
        impossible = set()
        if not self._history:
            impossible.add("training_curve")
        if not self._model.snn.layers_of_maps:
            impossible.add("feature_maps")
        return [name for name in pictures if name not in impossible]

    def write(self, files: Mapping[str, Path]) -> None:
        """Write pictures to files; existing files are replaced."""
        with Progress("drawing", len(files)) as progress:
            for name, path in files.items():
                if name == "spike_gif":
                    visualization.spike_gif(*self._one, path, **self._named, overwrite=True)
                else:
                    figure: Figure = getattr(self, name)()
                    with replacing(path) as draft:
                        figure.savefig(draft)
                progress.step()

    @property
    def _one(self) -> tuple[ProxyModel, np.ndarray]:
        return self._model, self._image

    @property
    def _named(self) -> dict[str, Any]:
        return {"class_names": self._names, "image_name": self._image_name}

    @cached_property
    def _record(self) -> dict[str, statistics.LayerRecord]:
        return statistics.record(self._model, self._x[:_RECORDED])

    def _scores(self, time_steps: int) -> np.ndarray:
        scores: np.ndarray = self._model.predict(self._x, time_steps=time_steps, verbose=0)
        return scores

    def spike_raster(self) -> "Figure":
        """Spikes of the chosen image."""
        return visualization.spike_raster(*self._one, **self._named)

    def feature_maps(self) -> "Figure":
        """Feature maps of the chosen image."""
        return visualization.feature_maps(*self._one, image_name=self._image_name)

    def potential_traces(self) -> "Figure":
        """Membrane potentials of the chosen image."""
        return visualization.potential_traces(*self._one, **self._named)

    def firing_rates(self) -> "Figure":
        """Histograms of firing rates on the first images."""
        return visualization.firing_rates(self._record)

    def rates_against_relu(self) -> "Figure":
        """Rates against the ANN's activations on the first images."""
        return visualization.rates_against_relu(self._record)

    def confusion_matrix(self) -> "Figure":
        """Confusion matrix of the strict (argmax) answers at the model's T."""
        scores = self._scores(self._model.time_steps)
        return visualization.confusion_matrix(self._y, scores, class_names=self._names)

    def accuracy_against_time_steps(self) -> "Figure":
        """Strict accuracy at powers of two up to the model's T, with the accuracy of the ANN."""
        last = self._model.time_steps
        steps = [*(2**i for i in range(last.bit_length()) if 2**i < last), last]
        scores = {t: self._scores(t) for t in steps}
        curve = {t: self._accuracy(scores[t]) for t in steps}
        ann = self._accuracy(self._model.ann.predict(self._x, verbose=0))
        return visualization.accuracy_against_time_steps(
            {"SNN": curve}, levels={"ANN": ann}, images=len(self._x), note=_silence(scores)
        )

    def _accuracy(self, outputs: np.ndarray) -> float:
        return float(np.mean(outputs.argmax(axis=-1) == self._y))

    def training_curve(self) -> "Figure":
        """Curve of the training that `train` recorded."""
        logs = {name: [epoch[name] for epoch in self._history] for name in self._history[0]}
        return visualization.training_curve(logs)


def _silence(scores: Mapping[int, np.ndarray]) -> str:
    """A sentence on few steps, in which most images get no spike of the readout.

    Without it a low start of the curve looks like wrong answers.

    Args:
        scores: T to the scores of the same images. More steps have no fewer spikes.
    """
    silent = [t for t, given in scores.items() if np.mean(given.any(axis=-1)) < 0.5]
    if not silent:
        return ""
    steps = f"{'At' if len(silent) == 1 else 'Up to'} T = {max(silent)}"
    return f"{steps} most images have no output spike; they count as the first class."
