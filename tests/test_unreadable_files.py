"""Programs, NIR files and cards of unknown origin: what is no network raises a ValueError."""

import hashlib
import io
import json
import os
import random
import zipfile

import keras
import numpy as np
import pytest
from PIL import Image

import keras_proxy_snn as kps
from fuzz.files import program
from keras_proxy_snn.basics.archives import read_array
from keras_proxy_snn.cli._shared import names_in
from keras_proxy_snn.datasets import pictures
from keras_proxy_snn.export import litert, load, nir, on_device
from keras_proxy_snn.export.program import Dense, Flatten, Program
from keras_proxy_snn.saving._declared import check_declared
from keras_proxy_snn.saving.model_file import load_model, read_record
from keras_proxy_snn.saving.weights import load_weights, read_card, save_weights


@pytest.fixture
def members(tmp_path):
    program().save(tmp_path / "good.kps")
    with zipfile.ZipFile(tmp_path / "good.kps") as file:
        return {name: file.read(name) for name in file.namelist()}


def refused(tmp_path, members, message="A program file"):
    path = tmp_path / "bad.kps"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members.items():
            file.writestr(name, content)
    with pytest.raises(ValueError, match=message):
        load(path)


def as_npy(array):
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


HEADS = [
    ({"time_steps": -1}, "time_steps.*positive integer. Received: -1"),
    ({"time_steps": "x"}, "time_steps.*positive integer. Received: 'x'"),
    ({"time_steps": 1.5}, "time_steps"),
    ({"time_steps": 10**9}, "`time_steps` must be at most 1048576"),
    ({"layers": []}, "last layer of a program must be a Dense"),
    ({"layers": {}}, "last layer"),
    ({"layers": None}, "A program file"),
    ({"input_shape": [4, 4]}, "input_shape"),
    ({"input_shape": [4, 4, -1]}, "input_shape"),
    ({"input_shape": 5}, "A program file"),
    ({"input_shape": [4, 4, 2]}, "kernel must have 2 inputs"),
    ({"number_format": "int4"}, "number_format"),
    ({"number_format": "int8"}, "`kernel` must be an array of integers of int8"),
    ({"input_scale": 0}, "input_scale"),
    ({"input_scale": "1"}, "input_scale"),
    ({"input_scale": True}, "input_scale"),
    ({"input_scale": 1e-300}, "`input_scale` .* from 2.-126"),
    ({"input_scale": 10**400}, "A program file"),
    ({"input_shape": [10**5, 10**5, 1]}, r"shape \(100000, 100000, 1\) of an image"),
    ({"metadata": None}, "`metadata` must be a mapping. Received: None"),
    ({"metadata": []}, "`metadata` must be a mapping"),
    ({"metadata": {"input_range": [1, 0]}}, "`input_range` of a program must be"),
    ({"metadata": {"input_range": "01"}}, "`input_range` of a program must be"),
    ({"metadata": {"class_names": ["a"]}}, "`class_names` must be 3 different texts"),
    ({"readout": "x"}, "readout"),
    ({"more": 1}, "A program file"),
    ({"version": 2}, "version 1"),
]
LAYERS = [
    (0, {"v_threshold": float("nan")}, "Thresholds must be positive"),
    (0, {"v_threshold": -1}, "Thresholds must be positive"),
    (0, {"v_threshold": 1e-50}, "Thresholds must be from 2.-126 to 2.126"),
    (0, {"v_threshold": [1.0, 1e39]}, "Thresholds must be from 2.-126 to 2.126"),
    (0, {"v_threshold": 10**400}, "v_threshold"),
    (0, {"v_threshold": [1, 2, 3]}, "number or one for each of 2"),
    (0, {"v_threshold": "x"}, "v_threshold"),
    (0, {"v_0": 1.0}, "v_0"),
    (0, {"strides": [0, 1]}, "strides"),
    (0, {"strides": "ab"}, "strides"),
    (0, {"padding": "full"}, "padding"),
    (0, {"dilation": [1]}, "dilation"),
    (0, {"reset": "hard"}, "reset"),
    (0, {"kernel": [1.0]}, "array of finite floats"),
    (0, {"kernel": {"array": "none"}}, "an array must be in the file, and in one layer"),
    (0, {"kernel": {"array": "3.kernel"}}, "an array must be in the file, and in one layer"),
    (0, {"dilation": [10**4, 10**4]}, r"at most 16,777,216 zeros .* in layer 'conv' on \(4, 4, 1"),
    (1, {"size": [10**4, 10**4], "padding": "same"}, "at most 16,777,216 zeros .* 'pool' on"),
    (0, {"kernel": {}}, "A program file"),
    (0, {"shortcuts": [1]}, "A program file"),
    (0, {"type": "Exec"}, "A program file"),
    (0, {"name": "pool"}, "different names"),
    (0, {"name": 3}, "different names"),
    (1, {"size": [9, 9]}, "Windows must fit"),
    (1, {"kind": "and"}, "kind"),
    (2, {"type": "Pool"}, "A program file"),
]
ARRAYS = [
    (np.full((8, 3), np.nan, "float32"), "finite floats"),
    (np.full((8, 3), np.inf, "float32"), "finite floats"),
    (np.full((8, 3), 1e300), "finite floats of float32. Received: float64"),
    (np.ones((7, 3), "float32"), "kernel must have 8 inputs"),
    (np.ones(24, "float32"), "kernel must have 8 inputs"),
    (np.ones((8, 0), "float32"), "kernel must have 8 inputs"),
    (np.ones((8, 3), "int8"), "finite floats"),
    (np.full((8, 3), "x"), "array of numbers"),
]


@pytest.mark.parametrize(("change", "message"), HEADS)
def test_the_head_of_a_program_is_checked(tmp_path, members, change, message):
    members["program.json"] = json.dumps({**json.loads(members["program.json"]), **change})
    refused(tmp_path, members, message)


@pytest.mark.parametrize(("place", "change", "message"), LAYERS)
def test_the_layers_of_a_program_are_checked(tmp_path, members, place, change, message):
    head = json.loads(members["program.json"])
    head["layers"][place] |= change
    members["program.json"] = json.dumps(head)
    refused(tmp_path, members, message)


@pytest.mark.parametrize(("array", "message"), ARRAYS)
def test_the_arrays_of_a_program_are_checked(tmp_path, members, array, message):
    refused(tmp_path, {**members, "3.kernel.npy": as_npy(array)}, message)


def test_an_array_that_declares_more_than_it_holds_takes_no_memory(tmp_path, members):
    huge = as_npy(np.ones((8, 3), "float32")).replace(b"(8, 3), }", b"(8, 3000000000), }")
    refused(tmp_path, {**members, "3.kernel.npy": huge}, "the file holds")


INTEGERS = [
    ({"v_threshold": 9.5}, "whole numbers of at most 31 bits. Received: 9.5"),
    ({"v_threshold": 2**31}, "whole numbers of at most 31 bits"),
    ({"v_0": 0.5}, "whole numbers of at most 31 bits. Received: 9 and v_0 0.5"),
    ({"kernel": np.ones((4, 3), "int16")}, "integers of int8. Received: int16"),
    ({"bias": np.ones(3, "int64")}, "integers of int32. Received: int64"),
    ({"bias": np.ones((), "int32")}, r"`bias` .* each of 3 filters. Received: shape \(\)"),
]


@pytest.mark.parametrize(("change", "message"), INTEGERS)
def test_integers_of_a_program_are_checked(tmp_path, change, message):
    values = {"kernel": np.ones((4, 3), "int8"), "bias": None, "v_threshold": 9, **change}
    readout = Dense("readout", reset="zero", **values)
    layers = (Flatten("flatten"), readout)
    Program(layers, (2, 2, 1), 5, "int8", input_scale=255.0).save(tmp_path / "bad.kps")
    with pytest.raises(ValueError, match=message):
        load(tmp_path / "bad.kps")


@pytest.mark.once
def test_what_is_no_file_is_no_program(tmp_path):
    os.mkfifo(tmp_path / "pipe.kps")
    for path in (tmp_path, tmp_path / "pipe.kps", tmp_path / "none.kps"):
        with pytest.raises(FileNotFoundError, match="There is no file"):
            load(path)


@pytest.mark.parametrize("text", ["[" * 100_000, "[]", "3", "{", "", "\udcff"])
def test_json_that_is_no_head_is_refused(tmp_path, members, text):
    refused(tmp_path, {**members, "program.json": text.encode(errors="surrogateescape")})


def try_mutations(good, path, read, times):
    """Read a file with three wrong bytes, whole or cut; only documented errors may come."""
    rng, refused = np.random.default_rng(0), 0
    for number in range(times):
        damaged = bytearray(good)
        for place in rng.integers(0, len(good), 3):
            damaged[place] = rng.integers(256)
        path.write_bytes(damaged[: rng.integers(1, len(good) + 1)] if number % 2 else damaged)
        try:
            read(path)
        except (ValueError, OSError):  # a fault in unused bytes does no harm
            refused += 1
    assert refused > times // 4


def test_facts_in_a_damaged_litert_file_are_refused(tmp_path):
    pytest.importorskip("ai_edge_litert")
    litert.write(program(), tmp_path / "good.tflite", form="step")
    assert litert.read_metadata(tmp_path / "good.tflite")["time_steps"] == 3
    good = (tmp_path / "good.tflite").read_bytes()
    try_mutations(good, tmp_path / "bad.tflite", litert.read_metadata, 500)
    try_mutations(good, tmp_path / "bad.tflite", litert.node_count, 50)


def saved_model(tmp_path, config, record):
    path = tmp_path / "net.keras"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("metadata.json", "{}")
        file.writestr("config.json", json.dumps(config))
        file.writestr("model.weights.h5", bytes(1000))
        file.writestr("keras_proxy_snn.json", record)
    return path


def test_a_damaged_record_is_refused(tmp_path):
    path = saved_model(tmp_path, {}, json.dumps({"settings": {"seed": 0}, "history": [1, 2]}))
    assert read_record(path)["history"] == [1, 2]
    try_mutations(path.read_bytes(), path, read_record, 500)
    for text in ("[1]", "{", "[" * 100_000):
        with pytest.raises(ValueError, match=r"net\.keras"):
            read_record(saved_model(tmp_path, {}, text))


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    """Members of a saved model with layers of many kinds."""
    x = keras.Input((8, 8, 1), name="image")
    y = keras.layers.Resizing(8, 8, name="resize")(x)
    y = keras.layers.ZeroPadding2D(1, name="pad")(y)
    y = keras.layers.Conv2D(2, 3, padding="same", activation="relu", name="conv")(y)
    y = keras.layers.DepthwiseConv2D(3, padding="same", activation="relu", name="deep")(y)
    y = keras.layers.GlobalAveragePooling2D(name="pool")(y)
    y = keras.layers.Dense(3, activation="relu", name="hidden")(y)
    ann = keras.Model(x, keras.layers.Dense(2, name="readout")(y))
    path = tmp_path_factory.mktemp("declared") / "net.keras"
    kps.ProxyModel(ann, 4).save(path)
    with zipfile.ZipFile(path) as file:
        return {name: file.read(name) for name in file.namelist()}


def written(tmp_path, members, held=None):
    """A file of these members, which can state another size of its weights."""
    path = tmp_path / "net.keras"
    with zipfile.ZipFile(path, "w") as file:
        for name, content in members.items():
            file.writestr(name, content)
        if held:
            file.getinfo("model.weights.h5").file_size = held
    return path


def declaring(tmp_path, members, name, change, held=None):
    """The network's file with another configuration of a layer, and without shapes of builds."""
    config = json.loads(members["config.json"])
    layers = config["config"]["ann"]["config"]["layers"]
    for layer in layers:
        layer.pop("build_config", None)
    next(layer for layer in layers if layer["name"] == name)["config"].update(change)
    return written(tmp_path, {**members, "config.json": json.dumps(config)}, held)


@pytest.mark.parametrize(
    ("layer", "change", "message"),
    [
        ("hidden", {"units": 10**12}, "numbers in 'hidden/kernel', in a file that can hold"),
        ("conv", {"filters": 10**12}, "numbers in 'conv/kernel', in a file"),
        ("conv", {"kernel_size": [10**6, 10**6]}, "numbers in 'conv/kernel', in a file"),
        ("deep", {"depth_multiplier": 10**12}, "numbers in 'deep/kernel', in a file"),
        ("image", {"batch_shape": [None, 8, 8, 10**12]}, "numbers in 'conv/kernel', in a file"),
        ("image", {"batch_shape": [None, 10**5, 10**5, 1]}, r"\(100000, 100000, 1\) of the input"),
        ("resize", {"height": 10**5, "width": 10**5}, r"\(100000, 100000, 1\) of resize"),
        ("pad", {"padding": [[0, 10**10], [0, 0]]}, r"\(10000000008, 8, 1\) of pad"),
    ],
)
def test_sizes_that_no_network_has_take_no_memory(network, tmp_path, layer, change, message):
    path = declaring(tmp_path, network, layer, change)
    with pytest.raises(ValueError, match=message):
        load_model(path)
    with keras.StatelessScope():
        """At its end Keras gives values to all variables that it has listed without values."""


def test_an_archive_cannot_state_more_weights_than_it_has_bytes(network, tmp_path):
    path = declaring(tmp_path, network, "hidden", {"units": 10**12}, held=10**15)
    with pytest.raises(ValueError, match="numbers in 'hidden/kernel', in a file that can hold"):
        load_model(path)


@pytest.mark.parametrize("steps", [10**12, -1, "4"])
def test_steps_that_no_network_has_are_refused(network, tmp_path, steps):
    config = json.loads(network["config.json"])
    config["config"]["time_steps"] = steps
    path = written(tmp_path, {**network, "config.json": json.dumps(config)})
    with pytest.raises(ValueError, match="`time_steps` must be"):
        load_model(path)


def test_looking_at_sizes_draws_no_random_numbers(network, tmp_path):
    path = written(tmp_path, network)
    state = random.getstate()
    check_declared(path)
    assert random.getstate() == state


def test_objects_are_never_unpickled():
    buffer = io.BytesIO()
    np.savez(buffer, x=np.array([{}], object))
    with pytest.raises(ValueError, match="array of numbers"):
        read_array(zipfile.ZipFile(buffer), "x.npy")


@pytest.fixture
def nir_file(tmp_path):
    nir.write(program(), tmp_path / "net.nir")
    return tmp_path / "net.nir"


def cycle(file):
    file["node/nodes/again"] = file["node"]


def soft_link(file):
    h5py = pytest.importorskip("h5py")
    file["node/nodes/soft"] = h5py.SoftLink("/node")


def huge_array(file):
    node = file["node/nodes/readout"]
    del node["weight"]
    node.create_dataset("weight", (3_000_000, 3_000_000), "float32", chunks=(1000, 1000))


def in_another_file(file):
    node = file["node/nodes/readout"]
    del node["weight"]
    node.create_dataset("weight", (3, 8), "float32", external=[(__file__, 0, 96)])


def virtual(file):
    h5py = pytest.importorskip("h5py")
    node = file["node/nodes/readout"]
    del node["weight"]
    node.create_virtual_dataset("weight", h5py.VirtualLayout((3, 8), "float32"))


def lists(file):
    """Lists of any length: where a damaged file has them, HDF5 may end the whole process."""
    h5py = pytest.importorskip("h5py")
    del file["node/nodes/readout/weight"]
    kind = h5py.vlen_dtype("float32")
    file.create_dataset("node/nodes/readout/weight", (3,), dtype=kind)


def long_text(file):
    """HDF5 makes room for a text of the length that is stated before it looks for the text."""
    start = file["node/type"].id.get_offset()
    file.flush()
    with open(file.filename, "r+b") as raw:
        raw.seek(start)
        raw.write((2**31).to_bytes(4, "little"))


def replaced(path, value):
    def change(file):
        kind = file[path].dtype.kind if path in file else "O"
        whole = np.full(file[path].shape, value, "float32") if kind == "f" else value
        if path in file:
            del file[path]
        file[path] = whole

    return change


def exactly(path, value):
    def change(file):
        del file[path]
        file[path] = value

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (cycle, "linked to more than once"),
        (soft_link, "a link to elsewhere"),
        (huge_array, "the file has fewer"),
        (long_text, "array '/node/type' must have 2147483648 bytes, and the file has fewer"),
        (in_another_file, "array '/node/nodes/readout/weight' is in another file"),
        (virtual, "array '/node/nodes/readout/weight' is in another file"),
        (replaced("node/metadata/number_format", "int4"), "number_format.*Received: 'int4'"),
        (replaced("node/metadata/facts", "[]"), "`metadata` must be a mapping"),
        (exactly("node/nodes/conv/bias", -1.0), r"`bias` must have .* Received: shape \(\)"),
        (exactly("node/nodes/conv/bias", "x"), "`bias` of node 'conv' must be real numbers"),
        (
            exactly("node/nodes/readout/weight", np.ones((3, 8), complex)),
            "neither real numbers nor",
        ),
        (lists, "array '/node/nodes/readout/weight' holds neither real numbers nor text"),
        (exactly("node/nodes/pool/kernel_size", [1.5, 1.5]), "must be whole numbers"),
        (exactly("node/nodes/conv/stride", [0, 0]), "A NIR file"),
        (exactly("node/nodes/conv_if/v_threshold", np.full((2, 4, 4), 1e39)), "thresholds"),
        (exactly("node/nodes/conv_if/v_threshold", np.zeros((2, 4, 4))), "Thresholds must be from"),
        (replaced("node/metadata/time_steps", -1), "positive integer. Received: -1"),
        (replaced("node/metadata/time_steps", "x"), "time_steps.*positive integer"),
        (replaced("node/metadata/facts", "{"), "."),
        (replaced("node/nodes/readout/weight", np.nan), "finite floats"),
        (replaced("node/nodes/readout_if/v_threshold", np.nan), "."),
        (replaced("node/nodes/readout_if/r", np.nan), "."),
        (lambda file: file["node"].__delitem__("nodes"), "A NIR file"),
        (lambda file: file["node"].__delitem__("edges"), "."),
        (lambda file: file["node/nodes/conv"].__delitem__("stride"), "."),
        (lambda file: file["node/metadata"].__delitem__("time_steps"), "pass `time_steps`"),
    ],
)
def test_a_nir_file_that_is_no_network_is_refused(nir_file, change, message):
    h5py = pytest.importorskip("h5py")
    assert nir.read(nir_file).time_steps == 3
    with h5py.File(nir_file, "r+") as file:
        change(file)
    with pytest.raises(ValueError, match=message):
        nir.read(nir_file)


@pytest.mark.parametrize("dt", [0, -1.0, float("nan"), float("inf"), "1", True, None])
def test_a_time_step_of_no_length_is_refused(nir_file, dt):
    pytest.importorskip("nir")
    with pytest.raises(ValueError, match="`dt` must be a positive finite number"):
        nir.read(nir_file, dt=dt)


@pytest.fixture
def card(tmp_path):
    save_weights(tiny(), tmp_path / "net.json")
    return tmp_path / "net.json"


def tiny():
    cnn = keras.Sequential([keras.Input((2, 2, 1)), keras.layers.Flatten()])
    cnn.add(keras.layers.Dense(2, name="readout"))
    return kps.ProxyModel(cnn, 2)


@pytest.mark.parametrize(
    "text",
    ["[" * 100_000, "{}", "[]", '{"format": "keras_proxy_snn weights", "file": 3, "sha256": []}'],
)
def test_a_card_that_is_none_is_refused(tmp_path, text):
    (tmp_path / "card.json").write_text(text)
    with pytest.raises(ValueError, match="card of weights"):
        read_card(tmp_path / "card.json")


def savez(**arrays):
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "A file of weights"),
        (as_npy(np.ones(3)), "A file of weights"),
        (
            savez(**{"readout/kernel": np.full((4, 2), np.nan), "readout/bias": np.ones(2)}),
            "finite",
        ),
        (savez(**{"readout/kernel": np.ones((4, 2), int), "readout/bias": np.ones(2)}), "finite f"),
        (savez(x=np.ones(2)), "must fit the model"),
    ],
)
def test_weights_that_are_none_are_refused(card, content, message):
    facts = json.loads(card.read_text())
    card.with_name(facts["file"]).write_bytes(content)
    card.write_text(json.dumps({**facts, "sha256": hashlib.sha256(content).hexdigest()}))
    with pytest.raises(ValueError, match=message):
        load_weights(tiny(), card)


@pytest.mark.parametrize("read", [pictures.read, on_device.read_images])
def test_a_picture_that_would_take_a_gibibyte_is_refused(read, tmp_path):
    path = tmp_path / "wide.png"
    Image.new("1", (10_000, 5_001)).save(path)
    with pytest.raises(ValueError, match=r"it has 50,010,000 pixels; at most 50,000,000 are read"):
        read(path)


@pytest.mark.once
@pytest.mark.parametrize("read", [names_in, on_device.read_labels])
def test_the_mark_of_windows_editors_is_no_part_of_a_name(read, tmp_path):
    (tmp_path / "names.txt").write_text("cat\ndog\n", encoding="utf-8-sig")
    assert read(tmp_path / "names.txt") == ["cat", "dog"]
