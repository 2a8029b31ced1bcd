"""Checks of arguments that many rooms make."""

import sys

import numpy as np
import pytest

import keras_proxy_snn as kps
from keras_proxy_snn.basics.checks import (
    check_choice,
    check_installed,
    positive_integer,
    positive_integers,
    require,
)
from keras_proxy_snn.datasets import pictures
from keras_proxy_snn.export.nir import graph_file
from keras_proxy_snn.visualization import figure

pytestmark = pytest.mark.once


@pytest.mark.parametrize("value", [1, 7, np.int64(7), np.int32(1), np.uint8(200)])
def test_a_positive_integer_becomes_an_int(value):
    found = positive_integer("time_steps", value)
    assert found == int(value)
    assert type(found) is int


@pytest.mark.parametrize("value", [0, -1, True, np.True_, 1.0, np.float64(2), "3", None, [1]])
def test_other_values_are_refused_with_the_argument_and_the_value(value):
    with pytest.raises(ValueError, match=r"`rounds` must be a positive integer. Received: "):
        positive_integer("rounds", value)


SIZE = ("height", "width", "channels")


@pytest.mark.parametrize("value", [(4, 5, 1), [4, 5, 1], np.array([4, 5, 1]), iter((4, 5, 1))])
def test_positive_integers_become_a_tuple(value):
    found = positive_integers("image_shape", value, SIZE)
    assert found == (4, 5, 1)
    assert [type(size) for size in found] == [int] * 3


@pytest.mark.parametrize("value", [None, 4, "451", (4, 5), (4, 5, 0), (4, True, 1), np.array(4)])
def test_other_tuples_are_refused_with_the_names_and_the_whole_value(value):
    with pytest.raises(ValueError, match="`image_shape` must be") as caught:
        positive_integers("image_shape", value, SIZE)
    assert str(caught.value) == (
        f"`image_shape` must be (height, width, channels), positive integers. Received: {value!r}."
    )


@pytest.mark.parametrize(
    ("module", "call", "message"),
    [
        (
            "matplotlib.figure",
            lambda _: figure.new_figure(1.0),
            'matplotlib is needed: pip install "keras-proxy-snn[viz]"',
        ),
        (
            "PIL.Image",
            lambda path: list(pictures.read(path)),
            'Pillow is needed: pip install "keras-proxy-snn[datasets]"',
        ),
        ("nir", graph_file.open_graph, 'nir is needed: pip install "keras-proxy-snn[export]"'),
        (
            "tensorboardX",
            lambda path: kps.SpikeTensorBoard(path).on_train_begin(),
            'tensorboardX is needed: pip install "keras-proxy-snn[viz]"',
        ),
    ],
)
def test_each_missing_library_is_told_in_one_form(monkeypatch, tmp_path, module, call, message):
    monkeypatch.setitem(sys.modules, module, None)
    path = tmp_path / "image.png"
    path.write_bytes(b"")
    with pytest.raises(ImportError) as caught:
        call(path)
    assert str(caught.value) == message


def test_a_picture_that_does_not_exist_is_told_with_its_path(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"must be a file. Received: .*a.png, which does"):
        pictures.read(tmp_path / "a.png")


@pytest.mark.parametrize("value", ["Zero", "", 1, True, ["zero"], np.array(["zero"]), None])
def test_a_choice_is_refused_with_the_choices(value):
    with pytest.raises(ValueError, match=r"`reset` must be one of \('zero', 'subtract'\). Receive"):
        check_choice("reset", value, ("zero", "subtract"))


def test_none_can_be_a_choice_and_names_of_a_table_too():
    check_choice("proxy_activation", None, (None, "clip"))
    check_choice("format", "onnx", {"onnx": 1, "nir": 2})


def test_a_missing_library_is_named_with_what_installs_it():
    message = 'no-such-library is needed: pip install "keras-proxy-snn'
    for tried in (require, check_installed):
        with pytest.raises(ImportError, match=message):
            tried("no_such_library")
    with pytest.raises(ImportError, match="no-such-library is needed"):
        require("no_such_library.a_part")
