"""Training images that are shifted and mirrored: what they can be, and what trains on them."""

import numpy as np
import pytest

from keras_proxy_snn import methods
from keras_proxy_snn.methods._augmentation import Augmented, augment, erase


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


def test_what_is_erased_is_one_rectangle_of_noise(rng):
    """Sides of a rectangle of 2 to 40 % of the image and an aspect of 0.3 to 1/0.3, rounded."""
    height, width = 40, 20
    images = np.full((300, height, width, 2), 2.0, "float32")
    made = erase(images, 1.0, rng)
    assert made.dtype == images.dtype
    areas, aspects = [], []
    for image in made:
        noise = image < 2
        rows, columns = noise.any(axis=(1, 2)), noise.any(axis=(0, 2))
        np.testing.assert_array_equal(noise, np.outer(rows, columns)[..., None] & [True, True])
        assert np.diff(np.flatnonzero(rows)).max(initial=1) == 1
        assert np.diff(np.flatnonzero(columns)).max(initial=1) == 1
        assert len(np.unique(image[noise])) > 0.9 * noise.sum()
        areas.append(rows.sum() * columns.sum() / (height * width))
        if columns.sum() < width:
            aspects.append(rows.sum() / columns.sum())
    assert 0.01 < min(areas) < 0.03
    assert 0.37 < max(areas) < 0.43
    assert np.mean(areas) == pytest.approx(0.2, abs=0.03)
    assert 0.2 < min(aspects) < 0.4
    assert 2.5 < max(aspects) < 5
    noise = made[made < 2]
    assert (noise.min() >= 0, noise.max() < 1) == (True, True)
    assert noise.mean() == pytest.approx(0.5, abs=0.01)


def test_a_share_of_the_images_is_erased(rng):
    images = np.full((400, 8, 8, 1), 2.0, "float32")
    erased = (erase(images, 0.25, rng) < 2).any(axis=(1, 2, 3))
    assert erased.mean() == pytest.approx(0.25, abs=0.06)
    assert erase(images, 0.0, rng).min() == 2
    (x, _), *_ = Augmented(images, np.zeros(400), 400, seed=0, erasing=1.0)
    shifted_alone, _ = Augmented(images, np.zeros(400), 400, seed=0)[0]
    noise = (x > 0) & (x < 1)
    assert noise.any(axis=(1, 2, 3)).all()
    np.testing.assert_array_equal(x[~noise], shifted_alone[~noise])


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
