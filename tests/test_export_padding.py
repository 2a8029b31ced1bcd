"""Zeros of a convolution's own, as NIR files have them: every format gives the same counts."""

from dataclasses import replace

import numpy as np
import pytest

from keras_proxy_snn.basics.window import Window
from keras_proxy_snn.export import c, interpreter, litert, load, onnx
from keras_proxy_snn.export.program import Conv, Dense, Flatten, Program
from keras_proxy_snn.export.validity import check_program

pytestmark = pytest.mark.once

ZEROS = ((2, 0), (1, 3))


def network(number_format):
    """Two convolutions with strides, and zeros that no `"same"` has; sums are exact."""
    rng = np.random.default_rng(0)
    integer = number_format == "int8"

    def kernel(*shape):
        weights = rng.integers(-80, 100, shape)
        return weights.astype("int8") if integer else weights.astype("float32") / 128

    window = {"padding": ZEROS, "strides": (2, 2)}
    scale = 10.0 if integer else 1.0
    layers = (
        Conv("conv1", kernel(3, 3, 2, 4), None, 100 * scale if integer else 1.0, "zero", **window),
        Conv("conv2", kernel(2, 3, 4, 3), None, 60 if integer else 0.5, "subtract", **window),
        Flatten("flatten"),
        Dense("readout", kernel(3 * 4 * 3, 4), None, 60 if integer else 0.5, "zero"),
    )
    return Program(layers, (9, 8, 2), 6, number_format, scale)


def padded(program):
    """The same network on images and maps that are padded by hand, one layer at a time."""
    x = np.pad(np.zeros((1, *program.input_shape)), ((0, 0), *ZEROS, (0, 0)))
    first = replace(program.layers[0], padding="valid")
    return replace(program, layers=(first, *program.layers[1:]), input_shape=x.shape[1:])


def images():
    return (np.random.default_rng(1).integers(0, 11, (5, 9, 8, 2)) / 10).astype("float32")


def test_numbers_and_places_of_windows():
    window = Window((3, 3), (2, 2), ZEROS)
    assert window.pads((9, 8)) == ZEROS
    assert window.counts((9, 8)) == (5, 5)
    assert network("float32").shapes() == ((5, 5, 4), (3, 4, 3), (36,), (4,))


def test_the_interpreter_pads():
    program = network("float32")
    x = images()
    expected = interpreter.run(padded(program), np.pad(x, ((0, 0), *ZEROS, (0, 0))))
    found = interpreter.run(program, x)
    np.testing.assert_array_equal(found.spike_counts, expected.spike_counts)
    assert len(np.unique(found.spike_counts)) > 2


@pytest.mark.parametrize("number_format", ["float32", "int8"])
def test_every_format_pads(number_format, tmp_path):
    program, x = network(number_format), images()
    expected = interpreter.run(program, x).spike_counts
    assert len(np.unique(expected)) > 2
    program.save(tmp_path / "net.kps")
    again = load(tmp_path / "net.kps")
    assert again.layers[0].padding == ZEROS
    np.testing.assert_array_equal(interpreter.run(again, x).spike_counts, expected)
    modules = {"net.onnx": onnx, "net.tflite": litert} | (
        {"net.c": c} if number_format == "int8" else {}
    )
    for name, module in modules.items():
        for form in module.FORMS:
            module.write(program, tmp_path / name, form=form)
            np.testing.assert_array_equal(module.run(tmp_path / name, program, x), expected)


@pytest.mark.parametrize(
    "zeros", [(1, 1), ((1, 1),), ((1, -1), (0, 0)), ((1.0, 1), (0, 0)), "full"]
)
def test_what_is_no_padding(zeros):
    program = network("float32")
    first = replace(program.layers[0], padding=zeros)
    broken = object.__new__(Program)
    broken.__dict__.update(vars(program), layers=(first, *program.layers[1:]))
    with pytest.raises(ValueError, match=r"`padding` must be .* Received: "):
        check_program(broken)
