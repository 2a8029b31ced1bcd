"""Files that are not what their names say, for the tests of the command line and the example."""

import os
import struct
import zlib

import numpy as np
from PIL import Image

GOOD = ["a.png", "b.tiff", "c.jpe", "d.jfif", "e.npy"]  # of `write_folder`, in its order


def _npy(header):
    """A `.npy` file with this header, and without data."""
    text = header.encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text


def _png(width, height, bits=8, rows=b"", between=b""):
    """A grey PNG file that declares a size."""
    head = struct.pack(">IIBBBBB", width, height, bits, 0, 0, 0, 0)
    body = _chunk(b"IHDR", head) + between + _chunk(b"IDAT", zlib.compress(rows))
    return b"\x89PNG\r\n\x1a\n" + body + _chunk(b"IEND", b"")


def _chunk(kind, data):
    check = struct.pack(">I", zlib.crc32(kind + data))
    return struct.pack(">I", len(data)) + kind + data + check


def grey_png(pixels, bits, level):
    """A PNG file with pixels of few bits, one level of which is transparent."""
    height, width = pixels.shape
    each = np.unpackbits(pixels[..., None], axis=-1)[..., 8 - bits :].reshape(height, -1)
    rows = b"".join(b"\0" + bytes(row) for row in np.packbits(each, axis=-1))
    return _png(width, height, bits, rows, _chunk(b"tRNS", struct.pack(">H", level)))


def write_bad(folder):
    """Arrays and pictures on which readers raise errors of many kinds."""
    declared = "{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000,)}\n"
    (folder / "huge.npy").write_bytes(_npy(declared))
    (folder / "deep.npy").write_bytes(_npy("(" * 9000))
    (folder / "token.npy").write_bytes(_npy("{'descr': '''\n"))
    (folder / "zip.npy").write_bytes(b"PK\x03\x04" + bytes(40))
    (folder / "bomb.png").write_bytes(_png(20000, 20000))
    (folder / "broken.png").write_bytes(_png(8, 8)[:40])
    if hasattr(os, "mkfifo"):
        os.mkfifo(folder / "pipe.png")
        os.mkfifo(folder / "pipe.tflite")
        os.mkfifo(folder / "pipe.keras")


def write_folder(folder):
    """Images in folders of classes, one broken, one that macOS put beside another."""
    pixels = Image.fromarray(np.full((8, 8), 51, "uint8"))
    for number, name in enumerate(GOOD[:-1]):
        inside = folder / f"class{number}"
        inside.mkdir()
        kind = {".png": "PNG", ".tiff": "TIFF"}.get(name[1:], "JPEG")
        pixels.save(inside / name, format=kind)
    np.save(folder / "class3" / GOOD[-1], np.full((8, 8), 51, "uint8"))
    (folder / "class0" / "._a.png").write_bytes(b"Mac OS X")
    (folder / "class0" / "notes.txt").write_text("none")
    (folder / "broken.png").write_bytes(_png(8, 8)[:40])
