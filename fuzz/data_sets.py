"""Data sets of a few images, as good inputs, and their readers."""

import gzip
import io
import pickle
import struct
import tarfile
import zipfile
from dataclasses import replace

import numpy as np

from keras_proxy_snn import datasets
from keras_proxy_snn.datasets._batch import read_batch
from keras_proxy_snn.datasets._info import INFOS

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


# Each opcode of a batch, and hostile arguments of the opcodes that have arguments.
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
