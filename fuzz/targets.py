"""What is fuzzed: good inputs to damage, what reads them, and the errors that are documented."""

import gzip
import io
import json
import pickle
import struct
import tarfile
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
from click.testing import CliRunner

from keras_proxy_snn import datasets
from keras_proxy_snn._archives import UNREADABLE, read_array
from keras_proxy_snn.cli import _pictures, commands
from keras_proxy_snn.cli._shared import BadInput, reading
from keras_proxy_snn.cnn.spec import format_spec, layer_shapes, parse_spec
from keras_proxy_snn.datasets import DatasetError
from keras_proxy_snn.datasets._batch import read_batch
from keras_proxy_snn.datasets._info import INFOS
from keras_proxy_snn.export import load, nir
from keras_proxy_snn.export.program import Conv, Dense, Flatten, Pool, Program

WORDS = [b"-1", b"1e999", b"NaN", b"null", b"[]", b"{}", b'"', b"\xff", b"\x00", b"9" * 30, b"../"]


@dataclass(frozen=True)
class Target:
    """A reader. `read` gets the bytes, and a folder if it needs one; it may raise `errors` alone.

    Changes are mostly within `head` bytes of the start; `in_ci` is the number of inputs in tests.
    """

    seeds: Callable[[], list[bytes]]
    read: Callable[[bytes, Path], object]
    errors: tuple[type[BaseException], ...] = (ValueError,)
    tokens: tuple[bytes, ...] = ()
    head: int = 500
    in_ci: int = 500
    on_disk: bool = True


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


# Architecture strings.


def spec_seeds():
    return [b"128C3-128C3-P2-128C3-P2-1024F-256F-10F", b"16C3-P2-10F", b"10F", b"4C5-P3-8C1-3F"]


def read_spec(data, folder):
    spec = parse_spec(data.decode("utf-8", "surrogateescape"))
    assert parse_spec(format_spec(spec)) == spec
    shapes = layer_shapes(spec, (32, 32, 3))
    assert all(min(shape) > 0 for shape in shapes)


# CIFAR-10's pickled batches: two images each.

PIXELS = (np.arange(2 * 3072) % 256).astype("uint8").reshape(2, 3072)
BATCH = {"batch_label": "training batch 1 of 5", "labels": [6, 9], "data": PIXELS}
BATCH["filenames"] = ["leptodactylus_pentadactylus_s_000004.png", "camion_s_000148.png"]


def python2_batch():
    """The opcodes of the published files, which Python 2's cPickle wrote."""
    data = PIXELS.tobytes()

    def text(value):
        return b"U" + bytes([len(value)]) + value.encode() + b"q\x01"

    array = (
        b"cnumpy.core.multiarray\n_reconstruct\nq\x07cnumpy\nndarray\nq\x08K\x00\x85q\t"
        b"U\x01bq\n\x87q\x0bRq\x0c(K\x01M\x02\x00M\x00\x0c\x86q\rcnumpy\ndtype\nq\x0e"
        b"U\x02u1q\x0fK\x00K\x01\x87q\x10Rq\x11(K\x03U\x01|q\x12NNNJ\xff\xff\xff\xff"
        b"J\xff\xff\xff\xffK\x00tq\x13b\x89T" + struct.pack("<i", len(data)) + data + b"tq\x14b"
    )
    labels = b"]q\x05(K\x06K\x09e"
    names = b"]q\x16(" + b"".join(map(text, BATCH["filenames"])) + b"e"
    return (
        b"\x80\x02}q\x01(" + text("batch_label") + text(BATCH["batch_label"]) + text("labels")
        + labels + text("data") + array + text("filenames") + names + b"u."
    )  # fmt: skip


def batch_seeds():
    return [
        python2_batch(),
        *(pickle.dumps(BATCH, protocol=n) for n in (2, 3, 4, 5)),
        pickle.dumps({name.encode(): value for name, value in BATCH.items()}, protocol=2),
    ]


# Each opcode that a batch has, and hostile arguments of those that have some.
OPCODES = [bytes([code]) for code in b"()tN]}aesuRb.\x85\x86\x87\x88\x89\x93\x94"] + [
    *(b"K\x00", b"h\x01", b"j\xff\xff\xff\xff", b"q\x07", b"r\xff\xff\xff\x7f", b"M\xff\xff"),
    *(b"J\xff\xff\xff\x7f", b"T\xff\xff\xff\xff", b"X\xff\xff\xff\xff", b"B\xff\xff\xff\xff"),
    *(b"\x8e" + b"\xff" * 8, b"\x96" + b"\xff" * 8, b"\x8c\x02O8", b"U\x01O", b"C\x08AAAAAAAA"),
    *(b"cnumpy\ndtype\n", b"cnumpy\nndarray\n", b"cos\nsystem\n", b"c_codecs\nencode\n"),
]


def read_cifar(data, folder):
    for value in read_batch(data, 2, 3072).values():
        if isinstance(value, np.ndarray):
            assert (value.shape, value.dtype) == ((2, 3072), np.uint8)
            value.sum(dtype="int64")  # its bytes are there
        else:
            assert value is None or type(value) in (int, str, bytes, list)


# Data sets of a few images: IDX files, binary batches, folders of pictures in archives.

IDX = {"train-images-idx3-ubyte": (20, 28, 28), "train-labels-idx1-ubyte": (20,)}
IDX |= {"t10k-images-idx3-ubyte": (10, 28, 28), "t10k-labels-idx1-ubyte": (10,)}


def idx_file(shape):
    values = np.arange(np.prod(shape)) % 10
    return (
        struct.pack(f">{1 + len(shape)}I", 0x0800 + len(shape), *shape)
        + values.astype("uint8").tobytes()
    )


def loads(name, folder, **sizes):
    """Load a data set that has other sizes than the published one."""
    published = INFOS[name]
    INFOS[name] = replace(published, sizes=sizes)
    try:
        return datasets.load(name, data_dir=folder)
    finally:
        INFOS[name] = published


def read_idx(data, folder):
    """The first byte says which of the four files is damaged, and whether it is packed."""
    which, packed = divmod(data[0] % 8, 2) if data else (0, 0)
    for place, (name, shape) in enumerate(IDX.items()):
        content = data[1:] if place == which else idx_file(shape)
        (folder / (name + ".gz" * packed)).write_bytes(
            content if not packed or place == which else gzip.compress(content, 1)
        )
    loads("fashion_mnist", folder, train=20, test=10)


def idx_seeds():
    files = [idx_file(shape) for shape in IDX.values()]
    whole = [bytes([2 * place]) + data for place, data in enumerate(files)]
    return whole + [
        bytes([2 * place + 1]) + gzip.compress(data) for place, data in enumerate(files)
    ]


def binary_batches():
    batch = b"".join(bytes([label]) + bytes(3072) for label in range(10))
    names = [*(f"data_batch_{i}.bin" for i in range(1, 6)), "test_batch.bin"]
    return dict.fromkeys(names, batch)


def binary_seeds():
    return [binary_batches()["test_batch.bin"]]


def read_binary(data, folder):
    for name, content in {**binary_batches(), "data_batch_3.bin": data}.items():
        (folder / name).write_bytes(content)
    loads("cifar10", folder, train=50, test=10)


def archive_seeds():
    tar, packed, zipped = io.BytesIO(), io.BytesIO(), io.BytesIO()
    for buffer, mode in ((tar, "w"), (packed, "w:gz")):
        with tarfile.open(fileobj=buffer, mode=mode) as archive:
            for name, content in binary_batches().items():
                entry = tarfile.TarInfo(f"cifar-10/{name}")
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))
    with zipfile.ZipFile(zipped, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in binary_batches().items():
            archive.writestr(f"cifar-10/{name}", content)
    return [tar.getvalue(), packed.getvalue(), zipped.getvalue()]


def read_set(data, folder):
    path = folder / ("x.zip" if data[:2] == b"PK" else "x.tar")
    path.write_bytes(data)
    loads("cifar10", path, train=50, test=10)


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
        for image in _pictures.read(path):
            assert image.size < 10**8


def array_seeds():
    buffers = []
    for array in (np.eye(3), np.ones((2, 4, 4, 1), "float32"), np.arange(6, dtype="uint8")):
        buffers.append(io.BytesIO())
        np.save(buffers[-1], array)
    return [buffer.getvalue() for buffer in buffers]


def read_npy(data, folder):
    """As a member of an archive, and as a file of the command line."""
    with zipfile.ZipFile(io.BytesIO(zipped({"x.npy": data}))) as file:
        try:
            array = read_array(file, "x.npy")
        except UNREADABLE:
            array = None
    path = folder / "x.npy"
    path.write_bytes(data)
    with reading(path):
        again = _pictures.read_array(path)
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


def config_seeds():
    with zipfile.ZipFile(io.BytesIO(keras_seeds()[0])) as file:
        return [file.read("config.json")]


def read_config(data, folder):
    with zipfile.ZipFile(io.BytesIO(keras_seeds()[0])) as file:
        members = {name: file.read(name) for name in file.namelist()}
    return as_file(".keras", read_keras)(zipped({**members, "config.json": data}), folder)


# The command line: words, one on a line.

OPTIONS = [b"\n--json", b"\n--time-steps\n0", b"\n--time-steps\n3", b"\n--dataset\nnone", b"\n-h"]
OPTIONS += [b"\n--format\nonnx", b"\n--output\n/", b"\n--quantise\n9", b"\n--force", b"\n--\n"]


def argument_seeds():
    lines = ("presets --json", "inspect none.keras", "evaluate none.keras --dataset digits")
    lines += ("predict none.keras none.png --json", "export none.keras --format onnx")
    lines += ("draw none.keras", "paper nothing", "bench none", "train none", "verify --only none")
    return ["\n".join(line.split()).encode() for line in lines]


def read_arguments(data, folder):
    words = data.decode("utf-8", "replace").split("\n")
    result = CliRunner().invoke(commands, words)
    assert result.exit_code in (0, 2), (words, result.output, result.exception)
    assert result.exception is None or isinstance(result.exception, SystemExit)
    if result.exit_code:
        raise BadInput(result.output)


ZIP = (b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06", b"PK\x07\x08", b"../", b".npy")
TARGETS = {
    "spec": Target(
        spec_seeds, read_spec, tokens=(b"-", b"C", b"P2", b"F", "٣".encode(), b"0"), on_disk=False
    ),
    "cifar-python": Target(batch_seeds, read_cifar, tokens=tuple(OPCODES), on_disk=False),
    "cifar-binary": Target(binary_seeds, read_binary, (DatasetError,), head=3100),
    "idx": Target(idx_seeds, read_idx, (DatasetError,), head=20),
    "archive": Target(archive_seeds, read_set, (DatasetError,), tokens=ZIP),
    "picture": Target(picture_seeds, as_file(".png", read_picture), (BadInput,), head=100),
    "npy": Target(array_seeds, read_npy, (BadInput,), head=128),
    "program": Target(program_seeds, as_file(".kps", load), tokens=ZIP),
    "program-head": Target(head_seeds, read_head, head=5000),
    "nir": Target(nir_seeds, as_file(".nir", nir.read), head=5000, in_ci=100),
    "card": Target(card_seeds, as_file(".json", read_cards), head=300),
    "keras": Target(keras_seeds, as_file(".keras", read_keras), tokens=ZIP, in_ci=50),
    "keras-config": Target(config_seeds, read_config, head=5000, in_ci=50),
    "arguments": Target(
        argument_seeds, read_arguments, (BadInput,), tuple(OPTIONS), head=50, on_disk=False
    ),
}
