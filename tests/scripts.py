"""How a test runs a script of this checkout: in this process, for a new one takes seconds more."""

import contextlib
import io
import os
import runpy
import subprocess
import sys
from pathlib import Path
from unittest import mock

ROOT = Path(__file__).resolve().parent.parent


def run_script(path, *arguments):
    """Exit status and output of a script, as `subprocess.run` gives them."""
    command = [str(ROOT / path), *map(str, arguments)]
    out, err, status = io.StringIO(), io.StringIO(), 0
    places = [os.path.dirname(command[0]), *sys.path]
    with (
        mock.patch.object(sys, "argv", command),
        mock.patch.object(sys, "path", places),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            runpy.run_path(command[0], run_name="__main__")
        except SystemExit as end:
            status = end.code or 0
            if isinstance(status, str):
                err.write(f"{status}\n")
                status = 1
    return subprocess.CompletedProcess(command, status, out.getvalue(), err.getvalue())
