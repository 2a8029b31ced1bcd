"""Run scripts of the folders in `examples/` that are for Node; every wait has an end."""

import json
import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"

needs_npm = pytest.mark.skipif(not shutil.which("npm"), reason="needs npm")


def install(folder):
    """Install the packages of a folder, as its lock file pins them."""
    # npm writes this file last, so an installation that was cut short is made anew.
    if not (EXAMPLES / folder / "node_modules" / ".package-lock.json").exists():
        done = call(folder, ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"])
        assert done.returncode == 0, done.stderr


def run_script(folder, script, *arguments, **environment):
    """What a script prints as JSON."""
    install(folder)
    done = call(folder, ["node", script, *map(str, arguments)], **environment)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def call(folder, command, seconds=300, **environment):
    """Run a command in a folder of `examples/`; if it takes too long, say what it said so far."""
    process = subprocess.Popen(
        command,
        cwd=EXAMPLES / folder,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        out, err = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        # A browser that it started holds the pipes open, so the whole group is ended.
        os.killpg(process.pid, signal.SIGKILL)
        out, err = process.communicate(timeout=seconds)
        pytest.fail(f"{' '.join(command)} took more than {seconds} s and said:\n{out}\n{err}")
    return subprocess.CompletedProcess(command, process.returncode, out, err)
