"""Training images that are shifted and mirrored: what they can be, and what trains on them."""

import numpy as np
import pytest

from keras_proxy_snn import methods
from keras_proxy_snn.methods._augmentation import Augmented, augment


def shifted(image, down, right):
    """An image moved by whole pixels, zeros moving in."""
    height, width, _ = image.shape
    margins = ((2, 2), (2, 2), (0, 0))  # as far as these tests move
    padded = np.pad(image, margins)
    return padded[2 - down : 2 - down + height, 2 - right : 2 - right + width]


def test_images_are_moved_by_an_eighth_at_most_and_half_are_mirrored(rng):
    images = rng.random((200, 8, 16, 3)).astype("float32")
    seen = set()
    for image, made in zip(images, augment(images, rng), strict=True):
        found = [
            (mirrored, down, right)
            for mirrored, original in ((False, image), (True, image[:, ::-1]))
            for down in (-1, 0, 1)
            for right in (-2, -1, 0, 1, 2)
            if np.array_equal(shifted(original, down, right), made)
        ]
        assert len(found) == 1
        seen.update(found)
    assert len(seen) == 2 * 3 * 5


def test_every_image_comes_once_an_epoch_with_its_label():
    images = np.arange(1, 8, dtype="float32").reshape(-1, 1, 1, 1) * np.ones(
        (7, 4, 4, 1), "float32"
    )
    batches = Augmented(images, np.arange(1, 8), 3, seed=5)
    epochs = []
    for _ in range(2):
        made = [batches[number] for number in range(len(batches))]
        assert [len(x) for x, _ in made] == [3, 3, 1]
        x, y = (np.concatenate(parts) for parts in zip(*made, strict=True))
        assert x.dtype == images.dtype
        np.testing.assert_array_equal(x.max(axis=(1, 2, 3)), y)
        assert sorted(y) == list(range(1, 8))
        epochs.append(list(y))
        batches.on_epoch_end()
    assert epochs[0] != epochs[1]
    again = Augmented(images, np.arange(1, 8), 3, seed=5)
    np.testing.assert_array_equal(again[0][1], epochs[0][:3])


@pytest.mark.parametrize("method", ["ann", "proxy"])
def test_methods_learn_from_augmented_images(method, digits):
    (x, y), _ = digits
    budget = methods.Training(epochs=2, batch_size=64, augment=True)
    trained = methods.fit(method, "digits", x, y, training=budget, time_steps=4)
    (history,) = trained.history.values()
    assert history["loss"][1] < history["loss"][0]
