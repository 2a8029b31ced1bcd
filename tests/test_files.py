"""Files are written aside and renamed: no error and no kill leaves half of one."""

import ast
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import keras_proxy_snn as kps
from keras_proxy_snn.basics import files
from keras_proxy_snn.basics.files import check_target, replacing

PACKAGE = Path(kps.__file__).parent


def drafts(folder):
    return [path for path in folder.iterdir() if path.name.startswith(".draft-")]


def test_a_file_is_replaced_when_it_is_whole(tmp_path):
    path = tmp_path / "net.weights.h5"
    path.write_text("old")
    path.chmod(0o640)
    with replacing(path) as draft:
        assert (draft.parent, draft.name.endswith("-net.weights.h5")) == (tmp_path, True)
        draft.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert path.stat().st_mode & 0o777 == 0o640
    assert list(tmp_path.iterdir()) == [path]


def test_an_error_leaves_the_file_as_it_was(tmp_path):
    path = tmp_path / "a.json"
    path.write_text("old")

    def stopped():
        with replacing(path) as draft:
            draft.write_text("ne")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_drafts_of_one_file_do_not_meet(tmp_path):
    path = tmp_path / ("long" * 60 + ".json")
    with replacing(path) as first, replacing(path) as second:
        assert first != second
        first.write_text("first")
        second.write_text("second")
    assert path.read_text() == "first"
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_is_followed(tmp_path):
    (tmp_path / "there").mkdir()
    link, path = tmp_path / "link.json", tmp_path / "there" / "a.json"
    link.symlink_to(path)
    with replacing(link) as draft:
        draft.write_text("new")
    assert link.is_symlink()
    assert path.read_text() == "new"


def test_drafts_that_a_kill_left_are_removed(tmp_path):
    path = tmp_path / "a[1].json"
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    host, own = files._HOST, os.getpid()

    def draft(host, process, name=path.name):
        made = tmp_path / f".draft-{host}-{process}-0-{name}"
        made.write_text("half")
        return made

    left = [draft(host, gone.pid), draft(host, own)]
    kept = [draft(host, os.getppid()), draft("00000000", gone.pid), draft(host, gone.pid, "b.json")]
    old = draft("00000001", 1)
    os.utime(old, (0, 0))
    with replacing(path) as new:
        new.write_text("new")
    assert not [file for file in [*left, old] if file.exists()]
    assert all(file.exists() for file in kept)


def test_where_no_file_can_be_written(tmp_path):
    path = tmp_path / "net.onnx"
    check_target(path)
    with pytest.raises(FileNotFoundError, match=r"The folder .*none does not exist"):
        check_target(tmp_path / "none" / "net.onnx")
    with pytest.raises(IsADirectoryError, match=r"not a folder\. Received: "):
        check_target(tmp_path, overwrite=True)
    path.write_text("old")
    with pytest.raises(FileExistsError, match=r"net\.onnx exists already; pass overwrite=True"):
        check_target(path)
    check_target(path, overwrite=True)
    os.mkfifo(tmp_path / "pipe")
    for special in (tmp_path / "pipe", "/dev/null"):
        with pytest.raises(FileExistsError, match="Only a regular file can be replaced"):
            check_target(special, overwrite=True)
    with pytest.raises(IsADirectoryError), replacing(tmp_path):
        pytest.fail("the block is not entered")


@pytest.mark.once
def test_errors_name_the_file_and_not_its_draft(tmp_path):
    path = tmp_path / "net.json"
    with pytest.raises(OSError, match="No space left") as told, replacing(path) as draft:
        raise OSError(28, "No space left on device", str(draft))
    assert (told.value.errno, told.value.filename) == (28, str(path))
    with pytest.raises(OSError, match=r"open .*/net\.json \(disk\)$"), replacing(path) as draft:
        raise OSError(f"cannot open {draft} (disk)")  # as h5py's, which have no number
    with pytest.raises(OSError, match="another file"), replacing(path):
        raise OSError("another file")
    if Path("/proc/self").exists():  # writable by its rights, and yet no file can be created there
        with pytest.raises(PermissionError, match=r"writable\. Received: /proc/net\.json \("):
            check_target("/proc/net.json")


@pytest.mark.parametrize("file", sorted(PACKAGE.rglob("*.py")), ids=lambda p: p.name)
def test_every_writer_writes_a_draft(file):
    """Whatever writes a file of a user's has a `draft` for its target, or a `buffer` in memory."""
    writers = {"write_text", "write_bytes", "savefig", "save_weights", "copyfile", "copy2", "move"}
    writers |= {"savez", "savez_compressed", "savetxt", "tofile", "rename"}
    modal = {"open", "File", "ZipFile", "TarFile", "fdopen"}
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute | ast.Name):
            name = getattr(node.func, "attr", None) or node.func.id
            whole = ast.unparse(node)
            writes = name in writers or (name in modal and any(f"'{m}" in whole for m in "wax"))
            assert not writes or "draft" in whole or "(buffer" in whole, (
                f"{file}:{node.lineno}: {whole}"
            )


@pytest.mark.once
@pytest.mark.slow
def test_no_kill_leaves_half_a_file():
    """Each writer is killed 20 times; see `kills.py`."""
    for name in ("torch", "onnx", "nir", "PIL", "matplotlib"):
        pytest.importorskip(name, reason='pip install "keras-proxy-snn[torch,export,viz]"')
    done = subprocess.run(
        [sys.executable, Path(__file__).with_name("kills.py")],
        env={**os.environ, "KERAS_BACKEND": "torch", "PYTHONPATH": str(PACKAGE.parent)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.count("whole after 20 kills") == 11


def test_weights_are_replaced_without_a_moment_of_mismatch(tmp_path, monkeypatch):
    """After every single rename the card names weights that it vouches for."""
    from keras_proxy_snn.saving import weights

    models = [kps.build("10F", input_shape=(2, 2, 1)) for _ in range(2)]
    card, seen = tmp_path / "net.json", []
    weights.save_weights(models[0], card)
    replace = Path.replace

    def watched(draft, target):
        done = replace(draft, target)
        weights.load_weights(kps.build("10F", input_shape=(2, 2, 1)), card)
        seen.append((target.name, json.loads(card.read_text())["file"]))
        return done

    monkeypatch.setattr(Path, "replace", watched)
    weights.save_weights(models[1], card, overwrite=True)
    assert seen == [
        ("net.new.npz", "net.npz"),
        ("net.json", "net.new.npz"),
        ("net.npz", "net.new.npz"),
        ("net.json", "net.npz"),
    ]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["net.json", "net.npz"]


@pytest.mark.parametrize(
    ("command", "output"),
    [("train digits", "net.keras"), ("export digits.keras --format onnx", "net.onnx")],
)
def test_a_folder_as_output_is_refused_before_the_work(tmp_path, monkeypatch, command, output):
    testing = pytest.importorskip("click.testing", reason='pip install "keras-proxy-snn[cli]"')
    from keras_proxy_snn.cli.group import commands

    folder = tmp_path / output
    folder.mkdir()
    monkeypatch.chdir(tmp_path)
    zipfile.ZipFile("digits.keras", "w").close()  # would be read only after the check
    result = testing.CliRunner().invoke(commands, [*command.split(), "--output", output, "--force"])
    assert result.exit_code == 2
    assert "not a folder. Received" in result.stderr
    assert list(folder.iterdir()) == []
