"""The pretrained weights of the package; this file imports no backend."""

from pathlib import Path

__all__ = ["comes_along", "pretrained_card", "pretrained_names"]

_PLACE = Path(__file__).parent


def pretrained_names() -> list[str]:
    """Names of the presets with pretrained weights."""
    return sorted(path.stem for path in _PLACE.glob("*.json"))


def comes_along(name: str) -> bool:
    """Whether the weights of a preset are in this package; others are downloaded."""
    return (_PLACE / f"{name}.npz").is_file()


def pretrained_card(name: str) -> Path:
    """Path of the card of a preset's pretrained weights.

    Args:
        name: A preset's name.

    Raises:
        ValueError: If the package has no weights for the preset.

    Example:

    >>> from keras_proxy_snn.saving.pretrained import pretrained_card
    >>> from keras_proxy_snn.saving.weights import read_card
    >>> read_card(pretrained_card("digits"))["data"]
    'digits'
    """
    if name not in pretrained_names():
        raise ValueError(
            f"The package has pretrained weights for {pretrained_names()}. Load weights of other "
            f"models by the path or URL of their card. Received: {name!r}."
        )
    return _PLACE / f"{name}.json"
