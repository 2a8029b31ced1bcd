"""Folders of small pictures by class, for the tests of a user's own images."""

import numpy as np
from PIL import Image

LEVELS = {"bright": 200, "dark": 40, "grey": 120}


def write(folder, *counts, size=(8, 8), channels=1, names=tuple(LEVELS)):
    """Noise about a level per class; `counts` pictures of each."""
    rng = np.random.default_rng(0)
    for name, count in zip(names, counts, strict=False):
        (folder / name).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            pixels = rng.integers(LEVELS[name] - 30, LEVELS[name] + 30, (*size, channels), "uint8")
            Image.fromarray(pixels.squeeze()).save(folder / name / f"{number}.png")
    return folder
