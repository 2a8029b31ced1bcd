import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_proxy_snn.cnn.spec import (
    Conv,
    Dense,
    Pool,
    SpecError,
    format_spec,
    layer_shapes,
    parse_spec,
)

pytestmark = pytest.mark.once

TABLE_1 = "128C3-128C3-P2-128C3-P2-1024F-256F-10F"

positive = st.integers(1, 2000)
convs = st.builds(Conv, positive, positive)
stages = st.lists(st.one_of(convs, st.builds(Pool, positive)), max_size=5)
specs = st.one_of(
    st.tuples(convs, stages, st.lists(st.builds(Dense, positive), min_size=1, max_size=3)).map(
        lambda parts: (parts[0], *parts[1], *parts[2])
    ),
    st.lists(st.builds(Dense, positive), min_size=1, max_size=3).map(tuple),
)


def test_table_1_is_read():
    assert parse_spec(TABLE_1) == (
        Conv(128, 3),
        Conv(128, 3),
        Pool(2),
        Conv(128, 3),
        Pool(2),
        Dense(1024),
        Dense(256),
        Dense(10),
    )


@given(specs)
def test_writing_and_reading_are_inverse(spec):
    assert parse_spec(format_spec(spec)) == spec


def test_layers_are_frozen():
    with pytest.raises(AttributeError):
        parse_spec("10F")[0].units = 3


def test_shapes_drop_what_does_not_fill_a_pooling_window():
    assert layer_shapes(parse_spec("4C3-P2-8C5-P3-10F"), (15, 28, 1)) == (
        (15, 28, 4),
        (7, 14, 4),
        (7, 14, 8),
        (2, 4, 8),
        (10,),
    )


@pytest.mark.parametrize(
    ("text", "token", "position"),
    [
        ("16C3-Q2-10F", "Q2", 5),
        ("16C3--10F", "", 5),
        ("", "", 0),
        ("0C3-10F", "0C3", 0),
        ("16C3-P0-10F", "P0", 5),
        ("16c3-10F", "16c3", 0),
        ("16C3-10F ", "10F ", 5),
        ("٣F-10F", "٣F", 0),
        ("16C3-20F-8C3-10F", "8C3", 9),
        ("16C3-20F-P2-10F", "P2", 9),
        ("P2-10F", "P2", 0),
        ("16C3-P2", "P2", 5),
        ("-16C3-10F", "", 0),
        ("99999999999C3-10F", "99999999999C3", 0),
        ("4C3-P1048577-10F", "P1048577", 4),
        ("4C3-" + "9" * 5000 + "F", "9" * 5000 + "F", 4),
    ],
)
def test_an_error_names_token_position_and_string(text, token, position):
    with pytest.raises(SpecError) as caught:
        parse_spec(text)
    error = caught.value
    assert (error.text, error.token, error.position) == (text, token, position)
    for part in (repr(token), f"position {position}", repr(text)):
        assert part in str(error)


def test_sizes_that_no_memory_holds_are_refused_and_told():
    with pytest.raises(SpecError, match=r"would take 15,461,882,265,600 bytes.*token '1048576C64'"):
        layer_shapes(parse_spec("1048576C64-10F"), (28, 28, 900))
    with pytest.raises(SpecError, match=r"2\*\*30 neurons.*token '1048576C1'"):
        parse_spec("1048576C1-10F", (64, 64, 1))
    with pytest.raises(SpecError, match=r"here a token is missing\. Received: token '' at pos"):
        parse_spec("")


def test_pooling_below_one_pixel_is_refused():
    with pytest.raises(SpecError, match=r"1 x 1 pixels.*'P2' at position 11 of '4C3-P4-4C3-P2-9F'"):
        parse_spec("4C3-P4-4C3-P2-9F", (7, 7, 1))
    assert parse_spec("4C3-P4-4C3-P2-9F", (8, 8, 1))


@pytest.mark.parametrize("shape", [(28, 28), (28, 28, 0), (28, 28, 1.0), (28, None, 1)])
def test_an_image_shape_is_three_positive_integers(shape):
    with pytest.raises(ValueError, match="positive integers"):
        parse_spec("10F", shape)


def test_a_spec_is_a_string():
    with pytest.raises(TypeError, match="Received: 10"):
        parse_spec(10)
