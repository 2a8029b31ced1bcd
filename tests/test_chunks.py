"""How many steps are simulated at once, if nobody says."""

import keras
import numpy as np
import pytest
from keras import ops

import keras_proxy_snn as kps
from keras_proxy_snn.simulation import chunks

EAGER = keras.config.backend() == "torch"


@pytest.mark.parametrize(
    ("time_steps", "longest", "length"),
    [(20, 16, 10), (20, 20, 20), (20, 99, 20), (7, 2, 2), (50, 13, 13), (10, 4, 4), (1, 2, 1)],
)
def test_chunks_are_few_and_nearly_equal(time_steps, longest, length):
    assert chunks.balanced(time_steps, longest) == length


@pytest.mark.parametrize(
    ("shapes", "eager", "large_gpu", "small_gpu"),
    [
        ([(1, 8, 8, 32), (1, 10)], 20, 20, 20),
        ([(32, 10), (32, 8, 8, 32)], 20, 20, 20),
        ([(100, 28, 28, 32)], 3, 20, 20),  # 2^23 are 3 steps of these
        ([(100, 28, 28, 128)], 2, 20, 5),  # 2^28 are 26 steps of these, 2^26 are 6
        ([(100, 32, 32, 256)], 2, 10, 2),
        ([(100, 32, 32, 512)], 2, 5, 2),
    ],
)
def test_they_are_chosen_by_the_largest_layer(shapes, eager, large_gpu, small_gpu, monkeypatch):
    potentials = [ops.zeros(shape) for shape in shapes]
    assert chunks.chosen(20, potentials) == (eager if EAGER else 2)
    monkeypatch.setattr(chunks, "on_gpu", lambda tensor: True)
    for memory, length in ((2**37, large_gpu), (2**33, small_gpu)):
        monkeypatch.setattr(chunks, "gpu_memory", lambda tensor, memory=memory: memory)
        assert chunks.chosen(20, potentials) == length


def test_the_choice_is_the_default_and_is_saved(rng, tmp_path):
    model = kps.build("4C3-P2-10F", input_shape=(8, 8, 1), time_steps=9)
    assert model.snn.chunk_steps is None
    images = rng.integers(0, 256, (5, 8, 8, 1)) / 256
    counts = model.predict(images, verbose=0)
    model.save(tmp_path / "net.keras")
    again = keras.models.load_model(tmp_path / "net.keras", compile=False)
    assert again.snn.chunk_steps is None
    for length in (None, 4):
        again.snn.chunk_steps = length
        np.testing.assert_array_equal(again.predict(images, verbose=0), counts)


@pytest.mark.parametrize("batch", [1, 3, 4, 7])
def test_images_in_parts_give_what_all_at_once_do(rng, monkeypatch, batch):
    model = kps.build("4C3-P2-10F", input_shape=(8, 8, 1), time_steps=5, use_bias=True)
    # Multiples of 1/256: sums are the same in whatever order a batch is gone through.
    model.set_weights([rng.integers(-64, 97, w.shape) / 256 for w in model.get_weights()])
    x = ops.convert_to_tensor(rng.integers(0, 257, (batch, 8, 8, 1)).astype("float32") / 256)
    assert chunks.images_at_once(x, model.snn._state_shapes) is None
    whole = model.snn.simulate(x)
    monkeypatch.setattr(chunks, "_KEPT", 3 * 8 * 8 * 4)
    expected = 3 if EAGER and batch > 3 else None
    assert chunks.images_at_once(x, model.snn._state_shapes) == expected
    parts = model.snn.simulate(x)
    for part, of_whole in zip(parts[:2], whole[:2], strict=True):
        np.testing.assert_array_equal(*map(ops.convert_to_numpy, (part, of_whole)))
    for part, of_whole in zip(parts.firing_rates, whole.firing_rates, strict=True):
        np.testing.assert_allclose(float(part), float(of_whole), rtol=1e-6)


@pytest.mark.parametrize(
    ("time_steps", "steps", "lengths"),
    [(7, 2, [2, 2, 2, 1]), (6, 3, [3, 3]), (5, 8, [5]), (1, 1, [1]), (5, 4, [4, 1])],
)
def test_a_loop_in_a_graph_and_one_outside_have_the_same_chunks(rng, time_steps, steps, lengths):
    frames = rng.random((3, time_steps, 2, 2, 1)).astype("float32")
    for given in (None, ops.convert_to_tensor(frames)):
        all_of_them = chunks.Chunks(time_steps, steps, given)
        assert [length for length, _ in all_of_them.since(0)] == lengths
        whole = all_of_them.whole
        assert whole == lengths.count(steps)
        assert [length for length, _ in all_of_them.since(whole)] == lengths[whole:]
        if given is None:
            assert all(of_chunk is None for _, of_chunk in all_of_them.since(0))
            continue
        parts = [ops.convert_to_numpy(of_chunk) for _, of_chunk in all_of_them.since(0)]
        np.testing.assert_array_equal(np.concatenate(parts, axis=1), frames)
        frames_of = all_of_them.frames_of_whole() if whole else None
        for number in range(whole):
            of_whole = frames_of(ops.convert_to_tensor(number, "int32"))
            np.testing.assert_array_equal(ops.convert_to_numpy(of_whole), parts[number])
