"""`preset_of`: the settings that a name and some fields stand for. No backend is needed."""

import re
from collections.abc import Iterable
from dataclasses import fields, replace
from difflib import get_close_matches
from typing import Any

from ..cnn.spec import parse_spec
from . import PRESETS, Preset

__all__ = ["FIELDS", "preset_of"]

FIELDS = frozenset(field.name for field in fields(Preset))
"""Names of all settings."""


def preset_of(name: str, overrides: dict[str, Any]) -> Preset:
    """The settings of a preset or of an architecture string.

    Args:
        name: A preset's name, or a spec.
        overrides: Fields that replace those of the preset; a spec needs `input_shape`.

    Raises:
        ValueError: If the name is neither a preset nor a spec, or a spec is given twice.
        TypeError: If a field is unknown or `input_shape` is missing.

    Example:

    >>> from keras_proxy_snn.presets.lookup import preset_of
    >>> preset_of("digits", {"time_steps": 4}).time_steps
    4
    """
    unknown = sorted(set(overrides) - FIELDS)
    if unknown:
        raise TypeError(
            f"Fields of a preset must be among {sorted(FIELDS)}.{_unknown(unknown[0])} "
            f"Received: {unknown}."
        )
    if isinstance(name, str) and name in PRESETS:
        return replace(PRESETS[name], **overrides)
    if not isinstance(name, str) or not re.match(r"-*P?[0-9]", name):  # As specs begin.
        raise ValueError(
            f"`name` must be one of the presets {sorted(PRESETS)} or a spec such as "
            f"'16C3-P2-10F'.{_hint(str(name), PRESETS)} Received: {name!r}."
        )
    parse_spec(name)
    if "spec" in overrides:
        raise ValueError(
            "`spec` replaces the architecture of a preset; a spec as name is the architecture. "
            f"Received: build({name!r}) with spec={overrides['spec']!r}."
        )
    if "input_shape" not in overrides:
        raise TypeError(
            "A spec needs `input_shape`, (height, width, channels) of the images. Received: "
            f"build({name!r}) without `input_shape`."
        )
    return Preset(name, **overrides)


def _unknown(field: str) -> str:
    """What to do about an unknown field, or nothing."""
    if field == "classes":
        return " `train` takes the number of classes from the images, `build` from its argument."
    return _hint(field, FIELDS)


def _hint(word: str, names: Iterable[str]) -> str:
    near = get_close_matches(word, sorted(names), 1)
    return f" Did you mean {near[0]!r}?" if near else ""
