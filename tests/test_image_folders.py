"""Pictures in class folders as a stream: what is found, what is read, and what is refused."""

import sys
import types
import warnings

import numpy as np
import pytest
from PIL import Image

from keras_proxy_snn import datasets
from keras_proxy_snn.datasets import DatasetError, _folder
from keras_proxy_snn.datasets.class_folders import fingerprint
from keras_proxy_snn.datasets.pictures import prepare, read

from . import bad_files
from .class_folders import write

pytestmark = pytest.mark.once


def pairs(stream):
    """All images of a stream with their labels, in one order."""
    x, y = stream.arrays()
    return sorted((label, image.tobytes()) for image, label in zip(x, y, strict=True))


def test_size_channels_and_classes_are_found_and_the_parts_make_the_whole(tmp_path):
    folder = write(tmp_path / "my", 5, 10)
    train, test = datasets.from_folder(folder, batch_size=4, seed=3)
    assert train.class_names == test.class_names == ("bright", "dark")
    assert train.image_shape == test.image_shape == (8, 8, 1)
    assert [np.bincount(part.arrays()[1]).tolist() for part in (train, test)] == [[4, 8], [1, 2]]
    whole = datasets.open_folder(folder)
    assert sorted(pairs(train) + pairs(test)) == pairs(whole)
    x, y = whole.arrays()
    assert (x.shape, x.dtype, y.dtype) == ((15, 8, 8, 1), np.float32, np.int64)
    assert y.tolist() == [0, 1] * 5 + [1] * 5  # the classes take turns
    (pixels,) = read(folder / "bright" / "0.png")
    np.testing.assert_array_equal(x[0], prepare(pixels, (8, 8, 1), False))


def test_a_class_whose_name_no_folder_can_have_has_a_hyphen_there(tmp_path):
    folder = write(tmp_path / "my", 2, 1)
    (folder / "bright").rename(folder / "T-shirt-top")
    names = ("dark", "T-shirt/top")
    stream = datasets.open_folder(folder, class_names=names)
    assert stream.class_names == names
    assert sorted(stream.arrays()[1]) == [0, 1, 1]
    with pytest.raises(datasets.DatasetError, match=r"\['dark', 'a-b'\].*without 'a-b', with 'T-"):
        datasets.open_folder(folder, class_names=("dark", "a/b"))


def test_the_split_and_the_orders_come_from_the_seed(tmp_path):
    folder = write(tmp_path / "my", 6, 6)
    train, test = datasets.from_folder(folder, batch_size=5, seed=1)
    again, same = datasets.from_folder(folder, batch_size=5, seed=1)
    assert pairs(test) == pairs(same)
    others = [pairs(datasets.from_folder(folder, seed=seed)[1]) for seed in range(2, 6)]
    assert pairs(test) not in others[:1] or len({str(other) for other in others}) > 1

    def epoch(stream):
        assert (len(stream), stream.images) == (2, 10)
        return np.concatenate([stream[i][0] for i in range(len(stream))]).tobytes()

    first = epoch(train)
    train.on_epoch_end()
    second = epoch(train)
    again.epoch = 1
    assert (second != first, epoch(again) == second) == (True, True)
    before = [label.tolist() for _, label in test]
    test.on_epoch_end()
    assert [label.tolist() for _, label in test] == before


def test_one_batch_is_read_at_a_time(tmp_path, monkeypatch):
    train, _ = datasets.from_folder(write(tmp_path / "my", 6, 6), batch_size=3)
    opened = []
    monkeypatch.setattr(_folder, "read", lambda path: opened.append(path) or read(path))
    assert train[1][0].shape == (3, 8, 8, 1)
    assert len(opened) == 3
    assert train.first(2).arrays()[1].tolist() == [0, 1]
    assert len(opened) == 5


@pytest.mark.parametrize(
    ("part", "left_out"), [("test", []), ("validation", []), ("Test", ["val"])]
)
def test_a_folder_with_parts_of_its_own_keeps_them(tmp_path, part, left_out):
    write(tmp_path / "my" / "train", 3, 2)
    for name in (part, *left_out):
        write(tmp_path / "my" / name, 1, 2)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        train, test = datasets.from_folder(tmp_path / "my")
    assert (train.images, test.images, train.seed, test.seed) == (5, 3, 0, None)
    assert [str(w.message).endswith(f"left out val; {part!r} is held out.") for w in caught] == [
        True for _ in left_out
    ]
    with pytest.raises(ValueError, match=r"`held_out`, or .* must not be given.*Received: 0.5"):
        datasets.from_folder(tmp_path / "my", held_out=0.5)
    write(tmp_path / "my" / part, 0, 0, 1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(DatasetError, match=r"Received: .* with 'grey', which is no class\."):
            datasets.from_folder(tmp_path / "my")


def test_a_stream_shows_itself_and_names_its_files(tmp_path):
    folder = write(tmp_path / "my", 5, 5)
    train, test = datasets.from_folder(folder, batch_size=4)
    assert repr(train) == (
        "<ImageStream of 8 training images (8, 8, 1), 2 classes: bright, dark; batch_size=4>"
    )
    assert repr(test).startswith("<ImageStream of 2 held-out images (8, 8, 1), 2 classes")
    whole = datasets.open_folder(folder)
    assert repr(whole).startswith("<ImageStream of 10 images ")
    assert whole.files[:2] == ["bright/0.png", "dark/0.png"]
    assert sorted(train.files + test.files) == sorted(whole.files)
    assert [name.split("/")[0] for name in test.files] == [
        test.class_names[label] for label in test.arrays()[1]
    ]
    with pytest.raises(ValueError, match=r"`files` must have one name for each of the 1 images"):
        datasets.ImageStream(lambda i: None, [0], ["cat"], (1, 1, 1), files=[])


def test_a_copy_of_a_folder_has_its_fingerprint(tmp_path):
    mine = fingerprint(write(tmp_path / "my", 2, 2))
    copy = write(tmp_path / "copy", 2, 2)
    assert fingerprint(copy) == mine
    (copy / "notes.txt").write_text("no picture")
    (copy / "dark" / ".hidden.png").write_text("hidden")
    assert fingerprint(copy) == mine
    (copy / "dark" / "0.png").rename(copy / "dark" / "9.png")
    assert fingerprint(copy) != mine
    write(tmp_path / "parts" / "train", 2, 2)
    parts = fingerprint(write(tmp_path / "parts" / "test", 2, 2).parent)
    assert len({parts, mine, fingerprint(tmp_path / "parts" / "test")}) == 2


def test_dir_lists_the_streams_and_no_helpers():
    names = dir(datasets)
    assert {"from_folder", "open_folder", "from_hub", "from_files", "ImageStream"} <= {*names}
    assert not {"Any", "TYPE_CHECKING"} & {*names}
    assert all(hasattr(datasets, name) for name in names)


def test_a_class_that_lacks_its_folder_is_named(tmp_path):
    folder = write(tmp_path / "my", 1, 1)
    with pytest.raises(DatasetError, match=r"Received: .*my without 'cat', with 'dark', which is"):
        datasets.open_folder(folder, class_names=["bright", "cat"])


def test_sizes_and_channels_are_asked_for_where_pictures_differ(tmp_path):
    folder = write(tmp_path / "my", 2, 2)
    write(folder, 0, 0, 2, size=(6, 10), channels=3)
    with pytest.raises(DatasetError, match=r"one size, or .*input_shape.*8 x 8 \(.*6 x 10 \("):
        datasets.from_folder(folder)
    train, _ = datasets.from_folder(folder, image_size=(4, 5))
    assert train.image_shape == (4, 5, 3)
    assert datasets.open_folder(folder, image_size=[4, 5], channels=1).image_shape == (4, 5, 1)


def test_a_picture_on_its_side_has_the_size_that_is_seen(tmp_path):
    folder = write(tmp_path / "my", 2, 2, size=(6, 10))
    picture = Image.new("L", (6, 10))
    exif = Image.Exif()
    exif[0x0112] = 6
    picture.save(folder / "dark" / "side.jpg", exif=exif)
    stream = datasets.open_folder(folder)
    assert (stream.image_shape, stream.arrays()[0].shape) == ((6, 10, 1), (5, 6, 10, 1))


def test_what_is_no_picture_is_named(tmp_path):
    folder = write(tmp_path / "my", 2, 2)
    for name in ("notes.txt", "dark/readme.md", "dark/x.npy", ".hidden", "bright/._0.png"):
        (folder / name).write_text("x")
    (folder / ".git").mkdir()
    with pytest.warns(UserWarning, match=r"my: left out notes.txt, dark/readme.md, dark/x.npy; "):
        assert datasets.open_folder(folder).images == 4
    (folder / "dark" / "inner").mkdir()
    Image.new("L", (8, 8)).save(folder / "dark" / "inner" / "deep.png")
    (folder / "dark" / "link").symlink_to(folder / "bright")
    with pytest.warns(UserWarning, match=r"notes.txt, dark/link, dark/readme.md and 1 more; "):
        assert datasets.open_folder(folder).images == 5


def spoil_empty(folder):
    (folder / "empty").mkdir()


def spoil_bomb(folder):
    bad_files.write_bad(folder / "dark")
    for path in [*folder.glob("dark/*.npy"), *folder.glob("dark/*pipe*")]:
        path.unlink()
    (folder / "dark" / "broken.png").unlink()


def spoil_text(folder):
    (folder / "dark" / "9.png").write_text("no picture")


def spoil_pages(folder):
    page = Image.new("L", (8, 8))
    page.save(folder / "dark" / "two.tif", save_all=True, append_images=[page])


def spoil_all(folder):
    for path in folder.rglob("*.png"):
        path.unlink()
    for path in folder.iterdir():
        path.rmdir()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (spoil_empty, r"A class must have pictures.*my/empty without any"),
        (spoil_text, r"A picture must be whole. Received: .*9.png \(cannot identify"),
        (spoil_bomb, r"bomb.png \(.*exceeds limit"),
        (spoil_pages, r"two.tif \(it has 2 pictures"),
        (spoil_all, r"a subfolder per class. Received: .*my without"),
    ],
)
def test_nothing_is_dropped_in_silence(tmp_path, spoil, message):
    folder = write(tmp_path / "my", 2, 2)
    spoil(folder)
    with pytest.raises(DatasetError, match=message):
        datasets.from_folder(folder)


def test_damage_past_the_head_is_found_when_the_picture_is_read(tmp_path):
    folder = write(tmp_path / "my", 2, 2)
    Image.new("L", (8, 8), 9).save(folder / "dark" / "9.bmp")
    cut = (folder / "dark" / "9.bmp").read_bytes()[:-20]
    (folder / "dark" / "9.bmp").write_bytes(cut)
    stream = datasets.open_folder(folder)
    with pytest.raises(DatasetError, match=r"must be whole. Received: .*9.bmp"):
        stream.arrays()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"image_size": 8}, r"\(height, width\), positive integers. Received: 8"),
        ({"image_size": (8, 0)}, r"\(height, width\), positive integers. Received: \(8, 0\)"),
        ({"channels": 4}, "1, 3 or None. Received: 4"),
        ({"channels": True}, "1, 3 or None. Received: True"),
        ({"held_out": "a"}, "below 1. Received: 'a'"),
        ({"seed": -1}, "`seed` must be a whole number, 0 or more. Received: -1"),
        ({"input_range": (1, 0)}, r"`input_range` must be \(low, high\).*Received: \(1, 0\)"),
        ({"held_out": 1.0}, "below 1. Received: 1.0"),
        ({"batch_size": 0}, "positive integer. Received: 0"),
    ],
)
def test_arguments_out_of_range(tmp_path, options, message):
    folder = write(tmp_path / "my", 2, 2)
    with pytest.raises(ValueError, match=message):
        datasets.from_folder(folder, **options)
    with pytest.raises(DatasetError, match=r"must exist. Received: .*none"):
        datasets.from_folder(tmp_path / "none", **options)


def stream(labels=(0, 1, 0), class_names=("a", "b"), image_shape=(2, 2, 1), **options):
    grey = np.full((4, 4), 51, "uint8")
    return datasets.ImageStream(lambda i: grey, labels, class_names, image_shape, **options)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"labels": [0, 1.5]}, "Labels must be whole numbers from 0 to 1.*1.5 at 1"),
        ({"labels": [0, 2]}, "Labels must be whole numbers from 0 to 1.*2 at 1"),
        ({"labels": [0, -1]}, "Labels must be whole numbers from 0 to 1.*-1 at 1"),
        ({"labels": np.eye(2)}, r"must be \(images,\). Received: an array of shape \(2, 2\)"),
        ({"class_names": "ab"}, "`class_names` must be 2 different texts"),
        ({"class_names": ["a", "a"]}, "`class_names` must be 2 different texts"),
        ({"image_shape": (2, 2)}, r"must be \(height, width, channels\), .* Received: \(2, 2\)"),
        ({"image_shape": (2, 0, 1)}, r"channels\), positive integers. Received: \(2, 0, 1\)"),
        ({"input_range": "01"}, r"`input_range` must be \(low, high\)"),
    ],
)
def test_arguments_of_a_stream_are_checked(arguments, message):
    with pytest.raises(ValueError, match=message):
        stream(**arguments)


def test_a_seed_that_is_set_obeys_at_once():
    ordered, shuffled = stream([0, 1] * 20), stream([0, 1] * 20)
    shuffled.seed = 3
    first = shuffled[0][1].tolist()
    assert first == shuffled.at(0)[0][1].tolist() != ordered[0][1].tolist()
    shuffled.seed = None
    assert shuffled[0][1].tolist() == ordered[0][1].tolist()
    with pytest.raises(ValueError, match="`seed` must be a whole number"):
        shuffled.seed = "3"


def test_one_class_cannot_be_learned(tmp_path):
    with pytest.raises(
        DatasetError, match=r"at least two classes.*Received: .*my with \['bright'\]"
    ):
        datasets.from_folder(write(tmp_path / "my", 5))
    write(tmp_path / "parts" / "train", 3)
    write(tmp_path / "parts" / "test", 3)
    with pytest.raises(DatasetError, match=r"at least two classes.*Received: .*parts with"):
        datasets.from_folder(tmp_path / "parts")
    # For calibration one is enough.
    assert _folder.open_folder(tmp_path / "my").images == 5


def test_a_class_of_one_picture_cannot_be_split(tmp_path):
    with pytest.raises(ValueError, match=r"two images or more.*1 of class 'dark'"):
        datasets.from_folder(write(tmp_path / "my", 2, 1))


class ClassLabel:
    names = ("cat", "dog")


class Column(dict):
    """A part of a data set of Hugging Face: rows by number, columns by name."""

    features = types.MappingProxyType({"img": type("Image", (), {})(), "fine": ClassLabel()})

    def __init__(self, images, labels):
        super().__init__(fine=labels)
        self.images = images

    def __getitem__(self, key):
        return {"img": self.images[key]} if isinstance(key, int) else super().__getitem__(key)


def stand_in(monkeypatch, hub, parts):
    """A library of a hub that has one data set, "pets"; `parts` are images and labels by name."""
    if hub == "hf":
        held = {
            name: Column([Image.fromarray(x) for x in images], labels)
            for name, (images, labels) in parts.items()
        }
        library = types.SimpleNamespace(load_dataset={"pets": held}.__getitem__)
        monkeypatch.setitem(sys.modules, "datasets", library)
        return
    features = {"image": None, "label": ClassLabel()}
    builder = types.SimpleNamespace(
        info=types.SimpleNamespace(features=features, splits=parts),
        download_and_prepare=lambda: None,
        as_data_source=lambda split, decoders=None: [
            {"image": b"" if decoders else image, "label": label}
            for image, label in zip(*parts[split], strict=True)
        ],
    )
    library = types.SimpleNamespace(
        builder=lambda name, file_format: {"pets array_record": builder}[f"{name} {file_format}"],
        decode=types.SimpleNamespace(SkipDecoding=lambda: "raw"),
    )
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", library)


@pytest.mark.parametrize("hub", ["hf", "tfds"])
def test_data_sets_of_hubs_are_streams_too(monkeypatch, hub, rng):
    images = [*rng.integers(0, 256, (6, 5, 4, 3), "uint8")]
    parts = {"train": (images, [1, 1, 1, 0, 0, 1]), "test": (images[:2], [1, 0])}
    stand_in(monkeypatch, hub, parts)
    train, test = datasets.from_hub(f"{hub}:pets")
    assert (train.class_names, train.image_shape) == (("cat", "dog"), (5, 4, 3))
    assert (train.images, test.images, train.seed, test.seed) == (6, 2, 0, None)
    x, y = train.arrays()
    assert y.tolist() == [0, 1, 0, 1, 1, 1]
    order = [3, 0, 4, 1, 2, 5]
    np.testing.assert_allclose(x, np.stack([images[i] for i in order]) / 255, rtol=1e-6)
    assert [part.images for part in datasets.from_hub(f"{hub}:pets", held_out=0.5)] == [3, 3]
    images[4] = images[4][:3]
    stand_in(monkeypatch, hub, {"train": parts["train"]})
    parts = datasets.from_hub(f"{hub}:pets")
    with pytest.raises(DatasetError, match=r"one size, or .*\(5, 4\) and \(3, 4\)"):
        [part.arrays() for part in parts]
    train, _ = datasets.from_hub(f"{hub}:pets", image_size=(2, 2), channels=1)
    assert train.image_shape == (2, 2, 1)
    stand_in(monkeypatch, hub, {"test": (images[:2], [1, 0])})
    with pytest.raises(DatasetError, match=r"a part 'train'. Received: .*pets with \['test'\]"):
        datasets.from_hub(f"{hub}:pets")


@pytest.mark.parametrize(
    ("hub", "module", "package"),
    [("hf", "datasets", "datasets"), ("tfds", "tensorflow_datasets", "tensorflow-datasets array")],
)
def test_without_the_library_of_a_hub_it_says_what_to_install(monkeypatch, hub, module, package):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match=f'pip install "{package}'):
        datasets.from_hub(f"{hub}:pets")
