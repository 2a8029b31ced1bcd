"""The parser of CIFAR-10's Python batches: whatever the bytes, plain values or a ValueError."""

import pickle
import struct
import tracemalloc

import numpy as np
import pytest

from fuzz.data_sets import BATCH, PIXELS, python2_batch
from keras_proxy_snn.datasets._batch import read_batch

IMAGES, VALUES = 2, 3072
FILES = {
    "published": python2_batch(),
    **{f"protocol {n}": pickle.dumps(BATCH, protocol=n) for n in (2, 3, 4, 5)},
    "bytes": pickle.dumps({k.encode(): v for k, v in BATCH.items()}, protocol=2),
}


@pytest.mark.parametrize("name", FILES)
def test_whole_batches(name):
    batch = read_batch(FILES[name], IMAGES, VALUES)
    np.testing.assert_array_equal(batch["data"], PIXELS)
    assert batch["data"].dtype == np.uint8
    assert batch["labels"] == BATCH["labels"]
    assert set(batch) == set(BATCH)


def nested(item, times):
    return b"\x80\x02" + item * times


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "ends too early"),
        (b"\x80\x02}.more", "goes on after its end"),
        (b"\x80\x02}}.", "goes on after its end"),
        (b"\x80\x02(.", "value that is not there"),
        (b"\x80\x02u.", "values that are not there"),
        (b"\x80\x02h\x05.", "value that is not there"),
        (b"\x80\x02cnumpy\nndarray\n(J\xff\xff\xff\x7fU\x02u1tR.", "uint8 array"),
        (b"\x80\x02cnumpy\ndtype\nU\x02O8K\x00K\x01\x87R.", "uint8 array"),
        (b"\x80\x02T\xff\xff\xff\xff.", "ends too early"),
        (b"\x80\x04\x8e" + b"\xff" * 8 + b".", "ends too early"),
        (b"\x80\x02i__main__\nx\n.", "opcode 0x69"),
        (b"\x80\x02}]]\x61s.", "neither numbers nor text"),
        (b"\x80\x02}q\x01U\x01ah\x01s.", "entry of another type"),
        (b"\x80\x02}(U\x01au.", "key that has no value"),
        (b"\x80\x02N\x85" + b"q\x01h\x01\x86" * 200 + b"c_codecs\nencode\nX\x01\0\0\0ah\x01\x86R.",
         "other than latin1: tuple"),
        (nested(b"]", 10**6), "more operations"),
        (nested(b")" + b"\x85" * 999, 1000), "more operations"),
        (nested(b"(", 10**6), "more operations"),
    ],
)  # fmt: skip
def test_hostile_batches_cost_nothing(data, message):
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=message):
            read_batch(data, IMAGES, VALUES)
        assert tracemalloc.get_traced_memory()[1] < 10**6
    finally:
        tracemalloc.stop()


def test_text_is_not_encoded_again_and_again():
    word = b"a" * 100_000
    once = b"h\x01h\x02h\x03\x86R"
    data = b"\x80\x02c_codecs\nencode\nq\x01X" + struct.pack("<i", len(word)) + word + b"q\x02"
    data += b"X\x06\0\0\0latin1q\x03" + once * 200 + b"."
    with pytest.raises(ValueError, match="encodes more text than it has"):
        read_batch(data, IMAGES, VALUES)
