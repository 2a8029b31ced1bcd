"""What the tests of README and site share: the code blocks of a page, and how a test runs them."""

import re
import runpy
import shlex
import sys
from pathlib import Path

import numpy as np
from click.testing import CliRunner

from keras_proxy_snn.cli import commands

ROOT = Path(__file__).resolve().parent.parent
# What commands are given beside, so that they are quick.
TINY = ["--epochs", "1", "--images", "60", "--time-steps", "3", "--set", "spec=4C3-P2-10F"]
QUICK = {"train": [*TINY, "--set", "readout_v_threshold=0.5"], "bench": ["--repeats", "1"]}
OWN = ["--epochs", "1", "--time-steps", "3", "--images", "8"]  # for pictures of a user's own


def quick(words):
    """Options that make a command of this package quick."""
    if "--data" in words:
        is_spec = words[1][0].isdigit()
        return OWN if is_spec else [*OWN, "--set", "spec=2C3-P4-2F"]
    return QUICK.get(words[0], [])


def blocks(page, language):
    """The fenced code blocks of a page in a language."""
    return re.findall(
        rf"^```{language}\b[^\n]*\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE
    )


def commands_of(page):
    """Commands of a page as lists of words, without comments."""
    lines = "".join(blocks(page, "sh")).replace("\\\n", " ").splitlines()
    return [words for line in lines if (words := shlex.split(line, comments=True))]


def run_python(page):
    """Run the Python of a page in order, as a reader would, in one namespace and this folder."""
    namespace = {"__name__": "__main__"}
    for number, code in enumerate(blocks(page, "python")):
        exec(compile(code, f"{page.name}, block {number}", "exec"), namespace)


def run_command(words, monkeypatch):
    """Run a command of this package, or a script of this folder or checkout; true if so."""
    program, *rest = words
    script = next((p for p in (Path(rest[0]), ROOT / rest[0]) if p.is_file()), None)
    if program == "keras-proxy-snn":
        done = CliRunner().invoke(commands, [*rest, *quick(rest)])
        assert done.exit_code == 0, done.output
    elif program == "python" and script is not None and rest[0] != "run.py":
        monkeypatch.setattr(sys, "argv", rest)
        status = _exit_status(script)
        assert not status, f"{words}: {status}"
    else:
        return False
    return True


def _exit_status(script):
    try:
        runpy.run_path(str(script), run_name="__main__")
    except SystemExit as end:
        return end.code
    return 0


def write_images(folder, count=2):
    """A folder of small pictures, as a reader has one."""
    from PIL import Image

    folder.mkdir()
    for number, pixels in enumerate(np.random.default_rng(0).integers(0, 256, (count, 8, 8))):
        Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{number}.png")
