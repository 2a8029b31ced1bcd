"""Pictures, arrays, programs, NIR files, cards and models, as good inputs, and their readers."""

import io
import json
import tempfile
import zipfile
from functools import cache
from pathlib import Path

import numpy as np

from keras_proxy_snn.basics.archives import UNREADABLE, read_array
from keras_proxy_snn.cli._shared import reading
from keras_proxy_snn.datasets import pictures
from keras_proxy_snn.export import load, nir
from keras_proxy_snn.export.program import Conv, Dense, Flatten, Pool, Program


def as_file(suffix, read):
    """A reader of a path."""

    def reads(data, folder):
        path = folder / f"input{suffix}"
        path.write_bytes(data)
        return read(path)

    return reads


def in_folder(write):
    """Content of the file that a function writes."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "seed"
        write(path)
        return path.read_bytes()


# Pictures and arrays of the command line. What a user names is read under `reading`.


def picture_seeds():
    from PIL import Image

    rng = np.random.default_rng(0)
    seeds = []
    for mode, channels in (("L", ()), ("RGB", (3,)), ("P", ()), ("RGBA", (4,))):
        picture = Image.fromarray(rng.integers(0, 256, (8, 9, *channels), "uint8"), None)
        for kind in ("PNG", "GIF", "BMP", "TIFF", "WEBP"):
            buffer = io.BytesIO()
            picture.convert(mode).save(buffer, kind)
            seeds.append(buffer.getvalue())
    buffer = io.BytesIO()
    picture.convert("RGB").save(buffer, "JPEG")
    return [*seeds, buffer.getvalue()]


def read_picture(path):
    with reading(path):
        for image in pictures.read(path):
            assert image.size < 10**8


def array_seeds():
    buffers = []
    for array in (np.eye(3), np.ones((2, 4, 4, 1), "float32"), np.arange(6, dtype="uint8")):
        buffers.append(io.BytesIO())
        np.save(buffers[-1], array)
    return [buffer.getvalue() for buffer in buffers]


def read_npy(data, folder):
    """Read an array as a member of an archive, and as a file that a command gets."""
    with zipfile.ZipFile(io.BytesIO(zipped({"x.npy": data}))) as file:
        try:
            array = read_array(file, "x.npy")
        except UNREADABLE:
            array = None
    path = folder / "x.npy"
    path.write_bytes(data)
    with reading(path):
        again = pictures.read_array(path)
        if array is not None:
            np.testing.assert_array_equal(array, again)


def zipped(members, kind=zipfile.ZIP_STORED):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", kind) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return buffer.getvalue()


# Programs, NIR files and cards.


def program():
    rng = np.random.default_rng(0)

    def floats(*shape):
        return rng.random(shape).astype("float32")

    layers = (
        Conv("conv", floats(3, 3, 1, 2), floats(2), 1.0, "zero"),
        Pool("pool", (2, 2), (2, 2)),
        Flatten("flatten"),
        Dense("readout", floats(8, 3), None, 1.0, "zero"),
    )
    return Program(layers, (4, 4, 1), 3)


@cache
def program_seeds():
    return [in_folder(program().save)]


def head_seeds():
    with zipfile.ZipFile(io.BytesIO(program_seeds()[0])) as file:
        return [file.read("program.json")]


def read_head(data, folder):
    """The description alone is damaged; the arrays are those of the good file."""
    with zipfile.ZipFile(io.BytesIO(program_seeds()[0])) as file:
        members = {name: file.read(name) for name in file.namelist()}
    return as_file(".kps", load)(zipped({**members, "program.json": data}), folder)


def nir_seeds():
    return [in_folder(lambda path: nir.write(program(), path))]


def card_seeds():
    facts = {"format": "keras_proxy_snn weights", "file": "net.npz", "sha256": "0" * 64}
    return [json.dumps({**facts, "accuracy": 0.9, "version": "0.1.0"}).encode()]


def read_cards(path):
    from keras_proxy_snn.saving.weights import read_card

    read_card(path)


@cache
def keras_seeds():
    import keras_proxy_snn as kps

    model = kps.build("2C3-P2-3F", input_shape=(4, 4, 1), time_steps=2)
    return [in_folder(lambda path: _saved(model, path))]


def _saved(model, path):
    from keras_proxy_snn.saving.model_file import save_model

    save_model(model, path.with_suffix(".keras"), {"epochs": 0})
    path.with_suffix(".keras").rename(path)


def read_keras(path):
    from keras_proxy_snn.saving.model_file import load_model

    load_model(path)


@cache
def keras_members():
    with zipfile.ZipFile(io.BytesIO(keras_seeds()[0])) as file:
        return {name: file.read(name) for name in file.namelist()}


def member_seeds(name):
    """One member of the good file alone is damaged; the archive around it is sound."""
    return lambda: [keras_members()[name]]


def read_member(name):
    def reads(data, folder):
        return as_file(".keras", read_keras)(zipped({**keras_members(), name: data}), folder)

    return reads
