"""The parser of CIFAR-10's Python batches: whatever the bytes, plain values or a ValueError."""

import pickle
import random
import struct
import tracemalloc

import numpy as np
import pytest

from keras_proxy_snn.datasets._batch import read_batch

IMAGES, VALUES = 2, 3072
LABELS = [6, 9]
PIXELS = (np.arange(IMAGES * VALUES) % 256).astype(np.uint8).reshape(IMAGES, VALUES)
BATCH = {
    "batch_label": "training batch 1 of 5",
    "labels": LABELS,
    "data": PIXELS,
    "filenames": ["leptodactylus_pentadactylus_s_000004.png", "camion_s_000148.png"],
}


def text(value):
    """Python 2's short string, with its place in the memo."""
    return b"U" + bytes([len(value)]) + value.encode() + b"q\x01"


def published():
    """The opcodes of the published files, which Python 2's cPickle wrote."""
    data = PIXELS.tobytes()
    array = (
        b"cnumpy.core.multiarray\n_reconstruct\nq\x07cnumpy\nndarray\nq\x08K\x00\x85q\t"
        b"U\x01bq\n\x87q\x0bRq\x0c(K\x01M\x02\x00M\x00\x0c\x86q\rcnumpy\ndtype\nq\x0e"
        b"U\x02u1q\x0fK\x00K\x01\x87q\x10Rq\x11(K\x03U\x01|q\x12NNNJ\xff\xff\xff\xff"
        b"J\xff\xff\xff\xffK\x00tq\x13b\x89T" + struct.pack("<i", len(data)) + data + b"tq\x14b"
    )
    labels = b"]q\x05(" + b"".join(b"K" + bytes([label]) for label in LABELS) + b"e"
    names = b"]q\x16(" + b"".join(map(text, BATCH["filenames"])) + b"e"
    return (
        b"\x80\x02}q\x01(" + text("batch_label") + text(BATCH["batch_label"]) + text("labels")
        + labels + text("data") + array + text("filenames") + names + b"u."
    )  # fmt: skip


FILES = {
    "published": published(),
    **{f"protocol {n}": pickle.dumps(BATCH, protocol=n) for n in (2, 3, 4, 5)},
    "bytes": pickle.dumps({k.encode(): v for k, v in BATCH.items()}, protocol=2),
}


@pytest.mark.parametrize("name", FILES)
def test_whole_batches(name):
    batch = read_batch(FILES[name], IMAGES, VALUES)
    np.testing.assert_array_equal(batch["data"], PIXELS)
    assert batch["data"].dtype == np.uint8
    assert batch["labels"] == LABELS
    assert set(batch) == set(BATCH)


def mutated(data, rng):
    """A few bytes changed, removed or repeated; mostly outside of the pixels, which may be any."""
    data = bytearray(data)
    for _ in range(rng.randrange(1, 4)):
        at = rng.randrange(len(data))
        if rng.random() < 0.9:
            at = rng.choice([at % 500, -1 - at % 300])
        part = slice(at, at + rng.randrange(1, 9) or None)
        kind = rng.randrange(5)
        if kind < 2:
            data[at] = rng.randrange(256)
        elif kind == 2:
            del data[part]
        elif kind == 3:
            data[at:at] = data[part]
        else:
            data[at:at] = rng.choice(OPCODES)
    return bytes(data)


# Each opcode that a batch has, and hostile arguments of those that have some.
OPCODES = [bytes([code]) for code in b"()tN]}aesuRb.\x85\x86\x87\x88\x89\x93\x94"] + [
    *(b"K\x00", b"h\x01", b"j\xff\xff\xff\xff", b"q\x07", b"r\xff\xff\xff\x7f", b"M\xff\xff"),
    *(b"J\xff\xff\xff\x7f", b"T\xff\xff\xff\xff", b"X\xff\xff\xff\xff", b"B\xff\xff\xff\xff"),
    *(b"\x8e" + b"\xff" * 8, b"\x96" + b"\xff" * 8, b"\x8c\x02O8", b"U\x01O", b"C\x08AAAAAAAA"),
    *(b"cnumpy\ndtype\n", b"cnumpy\nndarray\n", b"cos\nsystem\n", b"c_codecs\nencode\n"),
]


@pytest.mark.once
@pytest.mark.parametrize(
    "mutations", [3_000, pytest.param(100_000, marks=pytest.mark.slow)], ids="{:,}".format
)
def test_any_bytes_give_plain_values_or_an_error(mutations):
    rng = random.Random(1)
    files = list(FILES.values())
    refused = 0
    for _ in range(mutations):
        try:
            batch = read_batch(mutated(rng.choice(files), rng), IMAGES, VALUES)
        except ValueError:
            refused += 1
            continue
        for value in batch.values():
            if isinstance(value, np.ndarray):
                assert value.shape == (IMAGES, VALUES)
                assert value.dtype == np.uint8
                value.sum(dtype="int64")  # its bytes are there
            else:
                assert value is None or type(value) in (int, str, bytes, list)
    assert refused > mutations / 2


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
