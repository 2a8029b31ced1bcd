"""Checks of arguments that many rooms make."""

import numpy as np
import pytest

from keras_proxy_snn.basics.checks import check_choice, check_installed, positive_integer, require

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
