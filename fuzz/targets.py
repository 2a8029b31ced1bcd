"""The targets: good inputs to damage, their readers, and the documented errors of the readers."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from click.testing import CliRunner

from keras_proxy_snn.cli import commands
from keras_proxy_snn.cli._shared import BadInput
from keras_proxy_snn.cnn.spec import format_spec, layer_shapes, parse_spec
from keras_proxy_snn.datasets import DatasetError
from keras_proxy_snn.export import load, nir

from . import data_sets, files

WORDS = [b"-1", b"1e999", b"NaN", b"null", b"[]", b"{}", b'"', b"\xff", b"\x00", b"9" * 30, b"../"]


@dataclass(frozen=True)
class Target:
    """A reader. `read` gets the bytes, and a folder if it needs one; it may raise only `errors`.

    Changes are mostly within `head` bytes of the start; `in_ci` is the number of inputs in tests.
    """

    seeds: Callable[[], list[bytes]]
    read: Callable[[bytes, Path], object]
    errors: tuple[type[BaseException], ...] = (ValueError,)
    tokens: tuple[bytes, ...] = ()
    head: int = 500
    in_ci: int = 500
    on_disk: bool = True


# Architecture strings.


def spec_seeds():
    return [b"128C3-128C3-P2-128C3-P2-1024F-256F-10F", b"16C3-P2-10F", b"10F", b"4C5-P3-8C1-3F"]


def read_spec(data, folder):
    spec = parse_spec(data.decode("utf-8", "surrogateescape"))
    assert parse_spec(format_spec(spec)) == spec
    shapes = layer_shapes(spec, (32, 32, 3))
    assert all(min(shape) > 0 for shape in shapes)


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
    if words[0] == "verify":  # alone it is right, and works for minutes
        words += ["--only", "none"]
    result = CliRunner().invoke(commands, words)
    assert result.exit_code in (0, 2), (words, result.output, result.exception)
    assert result.exception is None or isinstance(result.exception, SystemExit)
    if result.exit_code:
        raise BadInput(result.output)


# One member of a `.keras` file.


def damaged_member(name, head, in_ci=500):
    return Target(files.member_seeds(name), files.read_member(name), head=head, in_ci=in_ci)


ZIP = (b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06", b"PK\x07\x08", b"../", b".npy")
TARGETS = {
    "spec": Target(
        spec_seeds, read_spec, tokens=(b"-", b"C", b"P2", b"F", "٣".encode(), b"0"), on_disk=False
    ),
    "cifar-python": Target(
        data_sets.batch_seeds, data_sets.read_cifar, tokens=tuple(data_sets.OPCODES), on_disk=False
    ),
    "cifar-binary": Target(
        data_sets.binary_seeds, data_sets.read_binary, (DatasetError,), head=3100
    ),
    "idx": Target(data_sets.idx_seeds, data_sets.read_idx, (DatasetError,), head=20),
    "archive": Target(data_sets.archive_seeds, data_sets.read_set, (DatasetError,), tokens=ZIP),
    "picture": Target(
        files.picture_seeds, files.as_file(".png", files.read_picture), (BadInput,), head=100
    ),
    "npy": Target(files.array_seeds, files.read_npy, (BadInput,), head=128),
    "program": Target(files.program_seeds, files.as_file(".kps", load), tokens=ZIP),
    "program-head": Target(files.head_seeds, files.read_head, head=5000),
    "nir": Target(files.nir_seeds, files.as_file(".nir", nir.read), head=5000),
    "card": Target(files.card_seeds, files.as_file(".json", files.read_cards), head=300),
    "keras": Target(files.keras_seeds, files.as_file(".keras", files.read_keras), tokens=ZIP),
    "keras-config": damaged_member("config.json", head=5000),
    "keras-weights": damaged_member("model.weights.h5", head=20000, in_ci=100),
    "arguments": Target(
        argument_seeds, read_arguments, (BadInput,), tuple(OPTIONS), head=50, on_disk=False
    ),
}
