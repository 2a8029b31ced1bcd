"""The plain ANN, the reference for the accuracy of the spiking networks."""

import keras

from ..basics.types import Images, Tensor
from ..model import ProxyModel
from ..presets import Preset
from ..presets.build import adam, build
from ._conversion import PLAIN
from ._training import Trained, Training, fit_phase, phase_name

__all__ = ["fit", "train_ann"]


def fit(preset: Preset, x: Images, y: Tensor, training: Training) -> Trained:
    """Train the preset's ANN alone, like any Keras CNN.

    Hidden activations are max(0, z) (Eq. 2 of Kheradpisheh et al., "Spiking neural networks
    trained via proxy"). The outputs have no activation. The loss is the cross-entropy of their
    softmax.

    Returns:
        `Trained`; `network` is the ANN.
    """
    ann, history = train_ann(preset, x, y, training)
    return Trained(ann, {"ann": history})


def train_ann(
    preset: Preset, x: Images, y: Tensor, training: Training
) -> tuple[keras.Sequential, dict[str, list[float]]]:
    """Train the ANN; return it with its logs."""
    ann = preset_model(preset, **PLAIN).ann
    compile_ann(ann, preset)
    return ann, fit_phase(ann, x, y, training, phase_name("ann", preset))


def preset_model(preset: Preset, **fields: object) -> ProxyModel:
    """A compiled model of a preset with some fields replaced; see `keras_proxy_snn.build`."""
    values = {**vars(preset), **fields}
    return build(values.pop("spec"), **values)


def compile_ann(
    ann: keras.Model, preset: Preset, optimizer: keras.optimizers.Optimizer | None = None
) -> None:
    """Compile an ANN with cross-entropy and an optimizer, the preset's if not given."""
    ann.compile(
        optimizer or adam(preset),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
