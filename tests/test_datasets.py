"""Every format is read from real files of it, made small by making the known set small."""

import gzip
import importlib.machinery
import io
import lzma
import os
import pickle
import struct
import subprocess
import sys
import tarfile
import types
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from keras_proxy_snn import datasets
from keras_proxy_snn.datasets import DatasetError
from keras_proxy_snn.datasets._info import INFOS

pytestmark = pytest.mark.once

REAL_DATA = os.environ.get("KERAS_PROXY_SNN_DATA")

IDX_FILES = {
    "train-images-idx3-ubyte": ("train", "x"),
    "train-labels-idx1-ubyte": ("train", "y"),
    "t10k-images-idx3-ubyte": ("test", "x"),
    "t10k-labels-idx1-ubyte": ("test", "y"),
}
BATCHES = [*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]


@pytest.fixture(autouse=True)
def _only_what_a_test_puts_there(monkeypatch, tmp_path):
    monkeypatch.delenv("KERAS_PROXY_SNN_DATA", raising=False)
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "nothing prepared"))
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", None)


@pytest.fixture
def small(monkeypatch, tmp_path):
    """Both sets with a few images; a folder in place of Debian's."""
    fashion = replace(
        INFOS["fashion_mnist"],
        sizes={"train": 20, "test": 10},
        system_folder=str(tmp_path / "system"),
    )
    monkeypatch.setitem(INFOS, "fashion_mnist", fashion)
    cifar = replace(INFOS["cifar10"], sizes={"train": 50, "test": 10})
    monkeypatch.setitem(INFOS, "cifar10", cifar)


def arrays(name):
    """Random uint8 images, labels 0 to 9 in turn."""
    rng = np.random.default_rng(1)
    info = INFOS[name]
    return {
        split: {
            "x": rng.integers(0, 256, (size, *info.shape), np.uint8),
            "y": (np.arange(size) % 10).astype(np.uint8),
        }
        for split, size in info.sizes.items()
    }


def idx_bytes(array):
    return struct.pack(f">{1 + array.ndim}I", 0x0800 + array.ndim, *array.shape) + array.tobytes()


def idx_files(sets):
    """File name -> bytes."""
    return {
        name: idx_bytes(np.squeeze(sets[split][key], -1) if key == "x" else sets[split][key])
        for name, (split, key) in IDX_FILES.items()
    }


def batch_arrays(sets):
    """Batch name -> rows of planes, labels."""
    train, test = sets["train"], sets["test"]
    images = [*np.split(train["x"], 5), test["x"]]
    labels = [*np.split(train["y"], 5), test["y"]]
    planes = [x.transpose(0, 3, 1, 2).reshape(len(x), -1) for x in images]
    return dict(zip(BATCHES, zip(planes, labels, strict=True), strict=True))


def binary_files(sets):
    return {
        f"{name}.bin": np.concatenate([y[:, None], x], axis=1).tobytes()
        for name, (x, y) in batch_arrays(sets).items()
    }


def python_files(sets, protocol=2):
    return {
        name: pickle.dumps({"data": x, "labels": y.tolist()}, protocol=protocol)
        for name, (x, y) in batch_arrays(sets).items()
    }


def python2_pickle(x, y):
    """The opcodes that Python 2 wrote: its strings are bytes, NumPy's module has the old name."""

    def text(data):
        return b"U" + bytes([len(data)]) + data

    def number(value):
        return b"J" + struct.pack("<i", value)

    data = np.ascontiguousarray(x).tobytes()
    array = (
        b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n" + number(0) + b"\x85"
        + text(b"b") + b"tR(" + number(1) + number(x.shape[0]) + number(x.shape[1]) + b"\x86"
        + b"cnumpy\ndtype\n(" + text(b"u1") + number(0) + number(1) + b"tR(" + number(3)
        + text(b"|") + b"NNN" + number(-1) + number(-1) + number(0) + b"tb\x89"
        + b"T" + struct.pack("<i", len(data)) + data + b"tb"
    )  # fmt: skip
    labels = b"](" + b"".join(number(int(label)) for label in y) + b"e"
    return b"\x80\x02}(" + text(b"data") + array + text(b"labels") + labels + b"u."


def image_files(sets, classes, suffix="png"):
    files = {}
    for split, content in sets.items():
        for i, (x, y) in enumerate(zip(content["x"], content["y"], strict=True)):
            file = io.BytesIO()
            Image.fromarray(np.squeeze(x)).save(file, {"png": "PNG", "jpg": "JPEG"}[suffix])
            folder = classes[y].replace("/", "_")
            files[f"{split}/{folder}/{i:04d}.{suffix}"] = file.getvalue()
    return files


def write(directory, files):
    for name, data in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return directory


def write_tar(path, files, mode):
    with tarfile.open(path, mode) as archive:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return path


def write_zip(path, files):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def assert_same(loaded, sets):
    for (x, y), split in zip(loaded, ("train", "test"), strict=True):
        assert x.dtype == np.float32
        assert y.dtype == np.int64
        assert x.flags.c_contiguous
        np.testing.assert_array_equal(x, sets[split]["x"].astype(np.float32) / np.float32(255))
        np.testing.assert_array_equal(y, sets[split]["y"])


# The names and what needs no file.


def test_unknown_name():
    message = r"one of 'fashion_mnist', 'cifar10', 'digits'\. Received: 'mnist'"
    for function in (datasets.load, datasets.locate, datasets.class_names):
        with pytest.raises(ValueError, match=message):
            function("mnist")


def test_class_names():
    assert datasets.class_names("fashion_mnist")[9] == "Ankle boot"
    assert datasets.class_names("cifar10")[9] == "truck"
    assert [len(datasets.class_names(name)) for name in datasets.NAMES] == [10, 10, 10]


def test_import_is_light_and_digits_need_nothing_but_numpy():
    program = """
import sys, types
package = types.ModuleType("keras_proxy_snn")
package.__path__ = [sys.argv[1]]
sys.modules["keras_proxy_snn"] = package
import keras_proxy_snn.datasets
keras_proxy_snn.datasets.load("digits")
roots = {name.partition(".")[0] for name in sys.modules}
heavy = {"keras", "tensorflow", "jax", "torch", "sklearn", "PIL", "tensorflow_datasets", "scipy"}
assert not roots & heavy, roots & heavy
ours = {n for n in sys.modules if n.startswith("keras_proxy_snn.")}
ours = {n.partition(".")[2] for n in ours if ".datasets" not in n}
assert ours == {"basics", "basics.checks", "basics.files"}, ours
"""
    package = Path(datasets.__file__).parents[1]
    subprocess.run([sys.executable, "-c", program, str(package)], check=True)


def test_digits():
    (x_train, y_train), (x_test, y_test) = datasets.load("digits")
    assert x_train.shape == (1437, 8, 8, 1)
    assert x_test.shape == (360, 8, 8, 1)
    assert (x_train.dtype, y_train.dtype) == (np.float32, np.int64)
    assert (x_train.min(), x_train.max()) == (0, 1)
    # Stratified: a class has the same share of both splits to within one image.
    whole = np.bincount(y_train) + np.bincount(y_test)
    assert np.abs(np.bincount(y_test) - whole / 5).max() < 1
    again = datasets.load("digits")
    np.testing.assert_array_equal(again[1][0], x_test)
    assert datasets.locate("digits").format == "embedded"


def test_digits_are_those_of_scikit_learn_in_its_order():
    sets = pytest.importorskip("sklearn.datasets", reason="pip install scikit-learn")
    bunch = sets.load_digits()
    test = np.sort(np.argsort(bunch.target, kind="stable")[::5])
    theirs = np.delete(np.arange(1797), test), test
    for (x, y), indices in zip(datasets.load("digits"), theirs, strict=True):
        np.testing.assert_array_equal(x[..., 0] * 16, bunch.images[indices])
        np.testing.assert_array_equal(y, bunch.target[indices])


def test_the_source_of_the_digits_lies_beside_them():
    source = Path(datasets.__file__).with_name("digits.txt").read_text()
    assert "https://doi.org/10.24432/C50P49" in source
    assert "CC BY 4.0" in source


# Formats.


def test_idx_of_full_size(tmp_path, monkeypatch):
    """The real sizes, gzipped, in a subfolder of the environment variable's directory."""
    for name, (split, key) in IDX_FILES.items():
        size = INFOS["fashion_mnist"].sizes[split]
        labels = (np.arange(size) % 10).astype(np.uint8)
        content = np.zeros((size, 28, 28), np.uint8) if key == "x" else labels
        data = gzip.compress(idx_bytes(content), compresslevel=1)
        write(tmp_path / "fashion-mnist", {f"{name}.gz": data})
    monkeypatch.setenv("KERAS_PROXY_SNN_DATA", str(tmp_path))
    (x_train, y_train), (x_test, y_test) = datasets.load("fashion_mnist")
    assert x_train.shape == (60_000, 28, 28, 1)
    assert x_test.shape == (10_000, 28, 28, 1)
    assert y_train.shape == (60_000,)
    np.testing.assert_array_equal(np.bincount(y_test), [1000] * 10)


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("folder", ["", "fashion-mnist", "fashion_mnist", "FashionMNIST/raw"])
@pytest.mark.parametrize("spelling", ["-idx", ".idx"])
@pytest.mark.parametrize("packed", [False, True])
def test_idx(tmp_path, folder, spelling, packed):
    sets = arrays("fashion_mnist")
    files = {name.replace("-idx", spelling): data for name, data in idx_files(sets).items()}
    if packed:
        files = {f"{name}.gz": gzip.compress(data) for name, data in files.items()}
    write(tmp_path / folder, files)
    assert_same(datasets.load("fashion_mnist", data_dir=tmp_path), sets)
    source = datasets.locate("fashion_mnist", tmp_path)
    assert source == datasets.Source("fashion_mnist", "idx", tmp_path / folder)
    assert source.title == "Fashion-MNIST"


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("folder", ["", "cifar-10-batches-py"])
def test_python_batches(tmp_path, folder, protocol):
    sets = arrays("cifar10")
    write(tmp_path / folder, python_files(sets, protocol))
    assert_same(datasets.load("cifar10", data_dir=tmp_path), sets)
    assert datasets.locate("cifar10", tmp_path).format == "python"


@pytest.mark.usefixtures("small")
def test_python_batches_of_numpy_1(tmp_path):
    sets = arrays("cifar10")
    files = python_files(sets)
    assert b"numpy._core.multiarray" in files["test_batch"] or np.__version__ < "2"
    old = {k: v.replace(b"numpy._core.", b"numpy.core.") for k, v in files.items()}
    assert_same(datasets.load("cifar10", data_dir=write(tmp_path, old)), sets)


@pytest.mark.usefixtures("small")
def test_python_batches_of_python_2(tmp_path):
    sets = arrays("cifar10")
    files = {name: python2_pickle(x, y) for name, (x, y) in batch_arrays(sets).items()}
    assert_same(datasets.load("cifar10", data_dir=write(tmp_path, files)), sets)


@pytest.mark.usefixtures("small")
def test_binary_batches(tmp_path):
    sets = arrays("cifar10")
    write(tmp_path / "cifar-10-batches-bin", binary_files(sets))
    assert_same(datasets.load("cifar10", data_dir=tmp_path), sets)
    assert datasets.locate("cifar10", tmp_path).format == "binary"


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("name", ["cifar10", "fashion_mnist"])
def test_class_folders(tmp_path, name):
    sets = arrays(name)
    write(tmp_path, image_files(sets, datasets.class_names(name)))
    # Files lie class by class; they come one of each class in turn, as `arrays` made them.
    assert_same(datasets.load(name, data_dir=tmp_path), sets)
    assert datasets.locate(name, tmp_path).format == "png"


@pytest.mark.usefixtures("small")
def test_jpeg_is_called_so(tmp_path):
    sets = {
        split: {"x": np.full_like(content["x"], 128), "y": content["y"]}
        for split, content in arrays("cifar10").items()
    }
    files = image_files(sets, datasets.class_names("cifar10"), "jpg")
    path = write_tar(tmp_path / "cifar10-jpeg.tar.xz", files, "w:xz")
    source = datasets.locate("cifar10", tmp_path)
    assert (source.format, source.path) == ("jpeg", path)
    assert source.title == "CIFAR-10 (JPEG)"
    assert str(source) == f"CIFAR-10 (JPEG) from {path} (jpeg)"
    assert_same(datasets.load("cifar10", data_dir=tmp_path), sets)


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize(
    ("file", "mode"),
    [("x.tar", "w"), ("x.tar.gz", "w:gz"), ("x.tgz", "w:gz"), ("x.tar.xz", "w:xz"), ("x.zip", "")],
)
@pytest.mark.parametrize("content", ["python", "binary", "png", "idx"])
def test_archives(tmp_path, file, mode, content):
    name = "fashion_mnist" if content == "idx" else "cifar10"
    sets = arrays(name)
    files = {
        "python": lambda: python_files(sets),
        "binary": lambda: binary_files(sets),
        "png": lambda: image_files(sets, datasets.class_names(name)),
        "idx": lambda: {k + ".gz": gzip.compress(v) for k, v in idx_files(sets).items()},
    }[content]()
    files = {f"top/inner/{key}": data for key, data in files.items()}
    files = {"../../outside.txt": b"no", "top/__MACOSX/train/cat/._0000.png": b"no", **files}
    path = tmp_path / "archive" / file
    path.parent.mkdir()
    _ = write_zip(path, files) if file.endswith("zip") else write_tar(path, files, mode)
    assert_same(datasets.load(name, data_dir=path), sets)
    assert datasets.locate(name, path).format == content
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == [path], "nothing is unpacked"


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("file", ["cifar-10-python.tar", "cifar10/cifar_10.tar", "CIFAR10.tar"])
def test_archives_are_found_by_name(tmp_path, file):
    (tmp_path / file).parent.mkdir(exist_ok=True)
    path = write_tar(tmp_path / file, python_files(arrays("cifar10")), "w")
    assert datasets.locate("cifar10", tmp_path).path == path
    assert datasets.locate("fashion_mnist", tmp_path) is None


@pytest.mark.usefixtures("small")
def test_cifar_100_is_not_cifar_10(tmp_path):
    write_tar(tmp_path / "cifar-100-python.tar", python_files(arrays("cifar10")), "w")
    assert datasets.locate("cifar10", tmp_path) is None


@pytest.mark.usefixtures("small")
def test_published_pixels_win_over_jpeg(tmp_path):
    sets = arrays("cifar10")
    write(tmp_path, image_files(sets, datasets.class_names("cifar10"), "jpg"))
    write_tar(tmp_path / "cifar-10-binary.tar.gz", binary_files(sets), "w:gz")
    assert datasets.locate("cifar10", tmp_path).format == "binary"
    assert_same(datasets.load("cifar10", data_dir=tmp_path), sets)


# Where a set comes from.


@pytest.mark.usefixtures("small")
def test_places_in_order(tmp_path, monkeypatch):
    files = idx_files(arrays("fashion_mnist"))
    assert datasets.locate("fashion_mnist") is None
    write(tmp_path / "system", files)
    assert datasets.locate("fashion_mnist").path == tmp_path / "system"
    (tmp_path / "empty").mkdir()
    monkeypatch.setenv("KERAS_PROXY_SNN_DATA", str(tmp_path / "empty"))
    assert datasets.locate("fashion_mnist").path == tmp_path / "system"
    write(tmp_path / "variable", files)
    monkeypatch.setenv("KERAS_PROXY_SNN_DATA", str(tmp_path / "variable"))
    assert datasets.locate("fashion_mnist").path == tmp_path / "variable"
    write(tmp_path / "argument", files)
    assert datasets.locate("fashion_mnist", tmp_path / "argument").path == tmp_path / "argument"
    assert datasets.locate("fashion_mnist", tmp_path / "empty") is None


@pytest.mark.usefixtures("small")
def test_data_dir_is_the_only_place_looked_in(tmp_path, monkeypatch):
    write(tmp_path / "variable", python_files(arrays("cifar10")))
    monkeypatch.setenv("KERAS_PROXY_SNN_DATA", str(tmp_path / "variable"))
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(DatasetError, match=r"empty \(which does not hold it\)") as error:
        datasets.load("cifar10", data_dir=empty)
    assert "cifar-10-batches-py" in str(error.value)
    with pytest.raises(DatasetError, match=r"absent \(which does not exist\)"):
        datasets.load("cifar10", data_dir=tmp_path / "absent")
    (tmp_path / "notes.txt").write_text("")
    with pytest.raises(DatasetError, match=r"notes.txt \(which is neither a directory nor an arch"):
        datasets.load("cifar10", data_dir=tmp_path / "notes.txt")


@pytest.mark.usefixtures("small")
def test_a_missing_set_lists_the_places_and_the_remedies(tmp_path, monkeypatch):
    with pytest.raises(DatasetError, match="Fashion-MNIST was not found") as error:
        datasets.load("fashion_mnist")
    for part in (
        "KERAS_PROXY_SNN_DATA (not set)",
        f"{tmp_path / 'system'} (which does not exist)",
        "tensorflow-datasets (not available",
        "Pass `data_dir`",
        "apt-get install dataset-fashion-mnist",
        'pip install "keras-proxy-snn[tfds',
    ):
        assert part in str(error.value)
    monkeypatch.setenv("KERAS_PROXY_SNN_DATA", str(tmp_path))
    message = r"KERAS_PROXY_SNN_DATA = .* \(which does not hold it\)"
    with pytest.raises(DatasetError, match=message) as error:
        datasets.load("cifar10")
    assert "apt-get" not in str(error.value), "Debian has no CIFAR-10"


def use_tfds(monkeypatch, load):
    """A stand-in for tensorflow-datasets; TensorFlow is what it would need."""
    module = types.ModuleType("tensorflow_datasets")
    module.__spec__ = importlib.machinery.ModuleSpec("tensorflow_datasets", None)
    module.load = load
    module.as_numpy = lambda splits: splits
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", module)
    monkeypatch.setitem(sys.modules, "tensorflow", types.ModuleType("tensorflow"))


@pytest.mark.usefixtures("small")
def test_tensorflow_datasets(tmp_path, monkeypatch):
    sets = arrays("cifar10")
    calls = []

    def load(name, **options):
        calls.append((name, options))
        return [(sets[s]["x"], sets[s]["y"].astype(np.int64)) for s in options["split"]]

    use_tfds(monkeypatch, load)
    assert datasets.locate("cifar10") is None, "it would have to be downloaded"
    assert_same(datasets.load("cifar10"), sets)
    options = {"split": ["train", "test"], "batch_size": -1, "as_supervised": True}
    assert calls == [("cifar10", options)]
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    write(tmp_path, {"cifar10/3.0.2/dataset_info.json": b"{}"})
    assert datasets.locate("cifar10").format == "tfds"
    assert_same(datasets.load("cifar10"), sets)


def test_tensorflow_datasets_without_network(monkeypatch):
    def load(name, **options):
        raise ConnectionError("Failed to resolve 'www.cs.toronto.edu'")

    use_tfds(monkeypatch, load)
    with pytest.raises(DatasetError, match=r"ConnectionError: Failed to resolve"):
        datasets.load("cifar10")


@pytest.mark.usefixtures("small")
def test_tensorflow_datasets_of_another_size(monkeypatch):
    sets = arrays("cifar10")
    use_tfds(monkeypatch, lambda name, **options: [(sets[s]["x"], sets[s]["y"]) for s in sets] * 1)
    sets["test"] = {key: array[:-1] for key, array in sets["test"].items()}
    message = r"tensorflow-datasets must hold test images \(10, 32, 32, 3\).*Received: \(9, 32"
    with pytest.raises(DatasetError, match=message):
        datasets.load("cifar10")


def test_tensorflow_datasets_without_tensorflow(monkeypatch):
    use_tfds(monkeypatch, None)
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    with pytest.raises(DatasetError, match=r"not available: .*tensorflow"):
        datasets.load("cifar10")


# Files that are not what they should be.


def packed(files):
    return {f"{name}.gz": gzip.compress(data) for name, data in files.items()}


def flipped(data, at):
    return data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :]


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize(
    ("file", "damage", "message"),
    [
        ("t10k-images-idx3-ubyte", lambda d: d[:9], r"header of 16 bytes. Received: 9 bytes"),
        ("t10k-images-idx3-ubyte", lambda d: flipped(d, 3), r"number 0x00000803. Received: 0x000"),
        ("t10k-images-idx3-ubyte", lambda d: flipped(d, 7), r"\(10, 28, 28\). Received: \(245, 28"),
        ("t10k-images-idx3-ubyte", lambda d: d[:-1], r"must have 7,856 bytes. Received: 7,855"),
        ("t10k-images-idx3-ubyte", lambda d: d + b"0", r"7,856 bytes. Received: more than 7,856"),
        ("t10k-labels-idx1-ubyte", lambda d: d[:-1] + b"\n", r"from 0 to 9. Received: 10 \(1 such"),
        ("train-labels-idx1-ubyte", lambda d: d[:-1] + b"\0", r"must hold 2 train images of each"),
    ],
)
def test_idx_damage(tmp_path, file, damage, message):
    files = idx_files(arrays("fashion_mnist"))
    files[file] = damage(files[file])
    named = str(tmp_path) if "of each" in message else file
    with pytest.raises(DatasetError, match=f"{named}.*{message}"):
        datasets.load("fashion_mnist", data_dir=write(tmp_path, files))


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda d: d[:-9], "EOFError"),
        (lambda d: flipped(d, len(d) - 6), "CRC check failed"),
        (lambda d: flipped(d, 0), "Not a gzipped file"),
        (lambda d: d[:10] + b"\xff" + d[11:], "invalid block type"),
    ],
)
def test_gzip_damage(tmp_path, damage, message):
    files = packed(idx_files(arrays("fashion_mnist")))
    name = "train-images-idx3-ubyte.gz"
    files[name] = damage(files[name])
    with pytest.raises(DatasetError, match=f"{name} must be a whole.*{message}"):
        datasets.load("fashion_mnist", data_dir=write(tmp_path, files))


@pytest.mark.usefixtures("small")
def test_missing_files_are_named(tmp_path):
    files = idx_files(arrays("fashion_mnist"))
    del files["t10k-labels-idx1-ubyte"]
    with pytest.raises(DatasetError, match=r"four IDX files.*Received: no t10k-labels"):
        datasets.load("fashion_mnist", data_dir=write(tmp_path / "idx", files))
    files = binary_files(arrays("cifar10"))
    del files["data_batch_3.bin"]
    with pytest.raises(DatasetError, match=r"must hold the batches.*Received: no data_batch_3"):
        datasets.load("cifar10", data_dir=write(tmp_path / "binary", files))


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda d: d[:-1], "must have 30,730 bytes, .*Received: 30,729"),
        (lambda d: d + b"0", "Received: more than 30,730"),
        (lambda d: b"\xff" + d[1:], "from 0 to 9. Received: 255"),
    ],
)
def test_binary_damage(tmp_path, damage, message):
    files = binary_files(arrays("cifar10"))
    files["data_batch_2.bin"] = damage(files["data_batch_2.bin"])
    with pytest.raises(DatasetError, match=f"data_batch_2.bin .*{message}"):
        datasets.load("cifar10", data_dir=write(tmp_path, files))


PIXELS = np.zeros((10, 3072), np.uint8)
LABELS = list(range(10))


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize(
    ("batch", "message"),
    [
        ([1, 2], "Received: a pickled list instead of a dictionary"),
        ({"data": PIXELS}, r"must have an entry 'labels'. Received: \['data'\]"),
        ({"data": LABELS, "labels": LABELS}, "a uint8 array as 'data'. Received: list"),
        ({"data": PIXELS.astype("f4"), "labels": LABELS}, "'data' that is not a uint8 array"),
        ({"data": PIXELS[:9], "labels": LABELS}, r"\(9, 3072\) instead of \(10, 3072\)"),
        ({"data": PIXELS, "labels": LABELS[:9]}, "must have 10 labels. Received: 9"),
        (
            {"data": PIXELS, "labels": "0123456789"},
            "list of int as 'labels'. Received: '0123456789'",
        ),
        ({"data": PIXELS, "labels": [*LABELS[:9], 10]}, "from 0 to 9. Received: 10"),
    ],
)
def test_python_damage(tmp_path, batch, message):
    files = {**python_files(arrays("cifar10")), "data_batch_4": pickle.dumps(batch, protocol=4)}
    with pytest.raises(DatasetError, match=f"data_batch_4 .*{message}"):
        datasets.load("cifar10", data_dir=write(tmp_path, files))


@pytest.mark.usefixtures("small")
def test_truncated_pickle(tmp_path):
    files = python_files(arrays("cifar10"))
    files["test_batch"] = files["test_batch"][:-100]
    with pytest.raises(DatasetError, match="test_batch must be a pickled CIFAR-10 batch"):
        datasets.load("cifar10", data_dir=write(tmp_path, files))


class Call:
    """Pickles as a call."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize(
    ("function", "arguments", "forbidden"),
    [
        (open, ("{}", "w"), "io.open"),
        (os.system, ('echo > "{}"',), "system"),
        (eval, ("open('{}', 'w')",), "builtins.eval"),
        (np.save, ("{}", 1), "numpy.save"),
    ],
)
def test_a_pickle_is_never_run(tmp_path, function, arguments, forbidden):
    made = tmp_path / "made.npy"
    call = Call(function, *(str(a).format(made) for a in arguments))
    evil = pickle.dumps({"data": PIXELS, "labels": LABELS, "more": call}, protocol=4)
    files = {**python_files(arrays("cifar10")), "data_batch_1": evil}
    with pytest.raises(DatasetError, match=f"data_batch_1 must .*{forbidden}.*was not run"):
        datasets.load("cifar10", data_dir=write(tmp_path, files))
    assert not made.exists()
    function_result = pickle.loads(evil)["more"]  # the same bytes do run where nothing is refused
    if hasattr(function_result, "close"):
        function_result.close()
    assert made.exists()


@pytest.mark.usefixtures("small")
def test_a_pickle_encodes_latin1_only(tmp_path):
    import _codecs

    evil = pickle.dumps(Call(_codecs.encode, "x", "punycode"), protocol=2)
    files = {**python_files(arrays("cifar10")), "data_batch_1": evil}
    with pytest.raises(DatasetError, match="other than latin1: 'punycode'"):
        datasets.load("cifar10", data_dir=write(tmp_path, files))


def picture(size, mode):
    file = io.BytesIO()
    Image.new(mode, size).save(file, "PNG")
    return file.getvalue()


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize(
    ("data", "message"),
    [
        (picture((28, 32), "RGB"), "32 x 32 pixels, mode RGB. Received: 28 x 32, mode RGB"),
        (picture((32, 32), "RGBA"), "Received: 32 x 32, mode RGBA"),
        (picture((32, 32), "RGB")[:60], "must be a JPEG or PNG image. "),
        (
            picture((32, 32), "RGB").replace(b"\rIHDR", b"\x05IHDR"),
            "must be a JPEG or PNG image. ",
        ),
        (b"not an image", "must be a JPEG or PNG image.*cannot identify"),
        (b"", "must be a JPEG or PNG image.*cannot identify"),
    ],
    ids=["size", "mode", "truncated", "header", "text", "empty"],
)
def test_image_damage(tmp_path, data, message):
    files = image_files(arrays("cifar10"), datasets.class_names("cifar10"))
    name = next(name for name in files if name.startswith("test/ship"))
    files[name] = data
    with pytest.raises(DatasetError, match=f"{name} .*{message}"):
        datasets.load("cifar10", data_dir=write(tmp_path, files))


@pytest.mark.usefixtures("small")
def test_number_of_images(tmp_path):
    files = image_files(arrays("cifar10"), datasets.class_names("cifar10"))
    first, second = list(files)[:2]
    more = write(tmp_path / "more", {**files, "train/cat/9.png": files[first]})
    with pytest.raises(
        DatasetError, match=r"must hold 50 train images of CIFAR-10\. Received: more"
    ):
        datasets.load("cifar10", data_dir=more)
    other = {**files, "train/cat/9.png": files[first]}
    del other[second]
    with pytest.raises(DatasetError, match=r"5 train images of each class.*\[5, 4, 5, 6, 5"):
        datasets.load("cifar10", data_dir=write(tmp_path / "other", other))
    del files[first]
    with pytest.raises(DatasetError, match=r"must hold 50 train images of CIFAR-10\. Received: 49"):
        datasets.load("cifar10", data_dir=write(tmp_path / "fewer", files))


@pytest.mark.usefixtures("small")
def test_images_without_pillow(tmp_path, monkeypatch):
    write(tmp_path, image_files(arrays("cifar10"), datasets.class_names("cifar10")))
    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    with pytest.raises(ImportError, match=r"Pillow.*keras-proxy-snn\[datasets\]"):
        datasets.load("cifar10", data_dir=tmp_path)


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize(
    ("file", "mode"), [("x.tar", "w"), ("x.tar.gz", "w:gz"), ("x.tar.xz", "w:xz"), ("x.zip", "")]
)
@pytest.mark.parametrize("part", [0.02, 0.5, 0.9])
def test_truncated_archives(tmp_path, file, mode, part):
    files = binary_files(arrays("cifar10"))
    path = tmp_path / file
    _ = write_zip(path, files) if file.endswith("zip") else write_tar(path, files, mode)
    data = path.read_bytes()
    path.write_bytes(data[: int(part * len(data))])
    with pytest.raises(DatasetError, match=f"{path}.* must be a whole, undamaged file"):
        datasets.load("cifar10", data_dir=path)


@pytest.mark.usefixtures("small")
def test_a_tar_cut_between_two_files(tmp_path):
    """tarfile takes this for the end of the archive; the batches must be counted."""
    path = write_tar(tmp_path / "x.tar", binary_files(arrays("cifar10")), "w")
    with tarfile.open(path) as archive:
        end = archive.getmember("data_batch_5.bin").offset
    path.write_bytes(path.read_bytes()[:end])
    with pytest.raises(DatasetError, match=r"no .*data_batch_5, test_batch"):
        datasets.load("cifar10", data_dir=path)


def tar_header(name, size, kind):
    entry = tarfile.TarInfo(name)
    entry.type = kind
    # A size past 8 GiB is written as GNU's tar does.
    entry.size = size
    return entry.tobuf(tarfile.GNU_FORMAT)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (tar_header("x", 2**62, tarfile.GNUTYPE_LONGNAME), "header of 4,611,686,018,427"),
        (tar_header("x", 2**32, tarfile.XHDTYPE), "header of 4,294,967,296"),
        (tar_header("x", 2**80, tarfile.GNUTYPE_LONGLINK), "header of 1,208,925,819"),
        (tar_header("x", 1, tarfile.GNUTYPE_LONGNAME) * 3000, "recursion|unpack|Error"),
        (b"\0" * 10_000, "which does not hold it"),
        (b"", "Error"),
    ],
)
@pytest.mark.parametrize("pack", [bytes, gzip.compress, lzma.compress])
def test_sizes_that_a_tar_declares_are_not_allocated(tmp_path, data, message, pack):
    path = tmp_path / "x.tar"
    path.write_bytes(pack(data))
    with pytest.raises(DatasetError, match=message):
        datasets.load("cifar10", data_dir=path)


@pytest.mark.usefixtures("small")
def test_a_zip_of_a_method_that_unpacks_without_bounds(tmp_path):
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as archive:
        for name, data in binary_files(arrays("cifar10")).items():
            archive.writestr(name, data)
    with pytest.raises(
        DatasetError, match=r"data_batch_1.bin must .*method 14.*stored nor deflated"
    ):
        datasets.load("cifar10", data_dir=path)


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("file", ["x.tar", "x.zip"])
def test_the_number_of_entries_is_bounded(tmp_path, file, monkeypatch):
    monkeypatch.setattr(datasets._files, "_MAX_ENTRIES", 5)
    files = python_files(arrays("cifar10"))
    path = tmp_path / file
    _ = write_zip(path, files) if file.endswith("zip") else write_tar(path, files, "w")
    with pytest.raises(DatasetError, match="more than 5 entries"):
        datasets.load("cifar10", data_dir=path)


@pytest.mark.usefixtures("small")
def test_a_zip_whose_directory_is_damaged(tmp_path):
    """Its last bytes hold sizes and places; each wrong byte is an error that is told."""
    path = write_zip(tmp_path / "x.zip", {"data_batch_1.bin": b"0" * 99})
    data = path.read_bytes()
    for at in range(data.rindex(b"PK\x01\x02"), len(data)):
        path.write_bytes(flipped(data, at))
        with pytest.raises(DatasetError):
            datasets.load("cifar10", data_dir=path)


@pytest.mark.usefixtures("small")
def test_an_encrypted_zip(tmp_path):
    path = write_zip(tmp_path / "x.zip", binary_files(arrays("cifar10")))
    data = bytearray(path.read_bytes())
    for magic, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = data.find(magic)
        while at >= 0:
            data[at + flags] |= 1
            at = data.find(magic, at + 1)
    path.write_bytes(data)
    with pytest.raises(DatasetError, match=r"data_batch_1.bin must .*encrypted"):
        datasets.load("cifar10", data_dir=path)


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("content", ["python", "idx", "png", "zip", "tar.gz"])
def test_no_damage_raises_anything_else(tmp_path, content, rng):
    """One wrong byte anywhere: the set loads with it, or a DatasetError says what is wrong."""
    name = "fashion_mnist" if content == "idx" else "cifar10"
    sets = arrays(name)
    files = {
        "python": lambda: python_files(sets),
        "idx": lambda: packed(idx_files(sets)),
    }.get(content, lambda: image_files(sets, datasets.class_names(name)))()
    if content in ("zip", "tar.gz"):
        path = tmp_path / f"cifar10.{content}"
        _ = write_zip(path, files) if content == "zip" else write_tar(path, files, "w:gz")
        files = {path.name: path.read_bytes()}
    write(tmp_path, files)
    refused = 0
    for _ in range(30):
        file = list(files)[rng.integers(len(files))]
        # Headers are short, and where the damage matters most.
        at = int(rng.integers(min(len(files[file]), rng.choice([300, 10**6]))))
        (tmp_path / file).write_bytes(flipped(files[file], at))
        try:
            datasets.load(name, data_dir=tmp_path)
        except DatasetError:
            refused += 1
        (tmp_path / file).write_bytes(files[file])
    assert refused
    assert_same(datasets.load(name, data_dir=tmp_path), sets)


# The published files.


def real(name):
    if REAL_DATA is None:
        pytest.skip("KERAS_PROXY_SNN_DATA is not set: no real data")
    if datasets.locate(name, REAL_DATA) is None:
        pytest.skip(f"KERAS_PROXY_SNN_DATA is set, but does not hold {name}")
    return datasets.load(name, data_dir=REAL_DATA)


def test_real_fashion_mnist():
    (x_train, y_train), (x_test, y_test) = real("fashion_mnist")
    assert (x_train.shape, x_test.shape) == ((60_000, 28, 28, 1), (10_000, 28, 28, 1))
    assert (x_train.min(), x_train.max()) == (0, 1)
    np.testing.assert_array_equal(np.bincount(y_train), [6_000] * 10)
    np.testing.assert_array_equal(np.bincount(y_test), [1_000] * 10)
    assert x_train.mean(dtype="float64") == pytest.approx(0.2860, abs=1e-4)
    assert x_test.mean(dtype="float64") == pytest.approx(0.2868, abs=1e-4)


@pytest.mark.slow
def test_real_cifar10():
    (x_train, y_train), (x_test, y_test) = real("cifar10")
    assert (x_train.shape, x_test.shape) == ((50_000, 32, 32, 3), (10_000, 32, 32, 3))
    assert (x_train.min(), x_train.max()) == (0, 1)
    np.testing.assert_array_equal(np.bincount(y_train), [5_000] * 10)
    np.testing.assert_array_equal(np.bincount(y_test), [1_000] * 10)
    # The published means of red, green and blue; JPEG keeps them to within 0.001.
    means = x_train.mean(axis=(0, 1, 2), dtype="float64")
    np.testing.assert_allclose(means, [0.4914, 0.4822, 0.4465], atol=1e-3)
