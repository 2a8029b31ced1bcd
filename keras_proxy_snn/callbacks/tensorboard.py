"""`SpikeTensorBoard`: the activity of neurons during training, in TensorBoard.

It uses `visualization` and `statistics`, so its level is above both.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import keras

from .. import statistics, visualization
from ..basics.checks import positive_integer, require
from ..basics.types import Images

__all__ = ["SpikeTensorBoard"]


class SpikeTensorBoard(keras.callbacks.Callback):
    """Log a spiking network's training for TensorBoard, on every backend.

    After each epoch it writes, with the epoch's number (from 1) as the step:

    * `training/<name>` and `validation/<name>`: loss and metrics, `proxy_distance` among them;
    * `firing_rate/<layer>`: mean over the epoch, in spikes per neuron and step;

    and, for the given images with the weights after the epoch:

    * `dead_fraction/<layer>`, `saturated_fraction/<layer>`: shares of the neurons that spike at no
      step of any image, and at every step of every image;
    * `spike_raster`, every few epochs and after the last epoch: a picture of the spikes of the
      first image.

    Keras's own callback needs TensorFlow. This callback needs `tensorboardX`, which
    `pip install "keras-proxy-snn[viz]"` installs. To open the logs: `pip install tensorboard`, then
    `tensorboard --logdir <log_dir>`.

    Args:
        log_dir: Folder of the event file. Use one folder per training.
        images: A few dozen images `(images, height, width, channels)`, or `None`. They need one
            simulation per epoch, and as much memory as `statistics.record`.
        raster_every: Number of epochs between two pictures.
        class_names: Names of the classes for the picture. `None`: the model's names, or numbers if
            it has no names.

    Raises:
        ValueError: If `raster_every` is not a positive integer, or the model logs no rates.
        ImportError: If tensorboardX (or, with images, matplotlib) is not installed.

    Example:

    >>> import pathlib, tempfile
    >>> import keras_proxy_snn
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> (x, y), _ = keras_proxy_snn.datasets.load("digits")
    >>> model = keras_proxy_snn.build("digits", time_steps=2)
    >>> board = keras_proxy_snn.SpikeTensorBoard(folder)
    >>> history = model.fit(x[:64], y[:64], callbacks=[board], verbose=0)
    >>> len(list(folder.glob("events.out.tfevents.*")))
    1
    """

    def __init__(
        self,
        log_dir: str | Path,
        images: Images = None,
        *,
        raster_every: int = 5,
        class_names: Sequence[str] | None = None,
    ):
        super().__init__()
        self.log_dir = Path(log_dir)
        self.images = images
        self.raster_every = positive_integer("raster_every", raster_every)
        self.class_names = class_names
        self._writer: Any = None
        self._drawn_at = self._step = 0

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Open the event file."""
        library = require("tensorboardX", "keras-proxy-snn[viz]")
        self._writer = library.SummaryWriter(str(self.log_dir))
        self._drawn_at = self._step = 0

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Write the values of the epoch."""
        logs = logs or {}
        if "proxy_distance" not in logs:
            raise ValueError(
                "SpikeTensorBoard can record only the training of a ProxyModel, whose logs hold "
                f"'proxy_distance' and 'rate_<layer>'. Received: logs with {sorted(logs)}."
            )
        self._step = epoch + 1
        for tag, value in [*_scalars(logs), *self._fractions()]:
            self._writer.add_scalar(tag, value, self._step)
        if self._step % self.raster_every == 0:
            self._draw()
        # The file can then be watched, and it is complete after Ctrl-C.
        self._writer.flush()

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Draw the last epoch, unless it has been drawn, and close the file."""
        if self._drawn_at < self._step:
            self._draw()
        self._writer.close()

    def _fractions(self) -> Iterator[tuple[str, float]]:
        if self.images is None:
            return
        for name, layer in statistics.record(self.model, self.images).items():
            yield f"dead_fraction/{name}", layer.dead_fraction
            yield f"saturated_fraction/{name}", layer.saturated_fraction

    def _draw(self) -> None:
        self._drawn_at = self._step
        if self.images is None:
            return
        figure = visualization.spike_raster(
            self.model, self.images[0], class_names=self.class_names
        )
        # Pyplot did not make this figure, so nothing has to close it.
        self._writer.add_figure("spike_raster", figure, self._step, close=False)


def _scalars(logs: dict[str, Any]) -> Iterator[tuple[str, float]]:
    for name, value in logs.items():
        if name.startswith("rate_"):
            tag = f"firing_rate/{name.removeprefix('rate_')}"
        elif name.startswith("val_"):
            tag = f"validation/{name.removeprefix('val_')}"
        else:
            tag = f"training/{name}"
        yield tag, float(value)
