"""How a test runs a script in several processes, one of which may die in the middle.

    python tests/workers.py "worker 1, epoch 2" MARKER SCRIPT [ARGUMENT ...]

runs a script that kills itself once it has printed this text, unless the file MARKER is there.
Processes are forks of one that has imported the package, because importing a backend takes longer
than what they do. `Forked` and `run_forked` are `subprocess.Popen` and `subprocess.run` as forks.
"""

import multiprocessing
import os
import runpy
import signal
import socket
import subprocess
import sys
import tempfile
import time
from multiprocessing.connection import Connection
from pathlib import Path
from types import SimpleNamespace

import keras
from keras.src.utils import module_utils

from keras_proxy_snn.basics import quiet

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["keras_proxy_snn"])
SECONDS = 240  # after which a test gives up


def free_ports(number):
    """Ports of this machine that nobody listens on."""
    sockets = [socket.socket() for _ in range(number)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


class Workers:
    """Processes that run one script; what they print goes to a file each.

    Args:
        folder: Where they work.
        script: Path of the script.
        arguments: A list of words for each process.
        environments: A mapping for each process.
        dies_after: `(number, text)`: this process kills itself once it has printed the text.
    """

    def __init__(self, folder, script, arguments, environments, dies_after=(None, None)):
        self._dying = dies_after[0]
        self._logs, self._processes = [], []
        for number, (words, variables) in enumerate(zip(arguments, environments, strict=True)):
            log = folder / f"{script.stem}-{number}.txt"
            text = dies_after[1] if number == self._dying else None
            task = (str(script), [*map(str, words)], dict(variables), str(log), str(folder), text)
            self._logs.append(log)
            self._processes.append(_CONTEXT.Process(target=_work, args=task, daemon=True))
        for process in self._processes:
            process.start()

    def finish(self):
        """Wait for the end; what the processes printed. Shows it if one failed or took too long."""
        end = time.monotonic() + SECONDS
        for process in self._processes:
            process.join(max(0.0, end - time.monotonic()))
        codes = [process.exitcode for process in self._processes]
        self.kill()
        printed = "\n".join(log.read_text() for log in self._logs)
        assert not any(code != 0 for code in codes), f"exit codes {codes}\n{printed}"
        return printed

    def wait_for_death(self):
        """Wait until the process that is to die has died, then end the others."""
        process = self._processes[self._dying]
        process.join(SECONDS)
        code = process.exitcode
        self.kill()
        printed = "\n".join(log.read_text() for log in self._logs)
        assert code == -signal.SIGKILL, f"exit code {code}\n{printed}"
        return printed

    def kill(self):
        for process in self._processes:
            if process.is_alive():
                process.kill()
            process.join()


class Forked:
    """What tests need of `subprocess.Popen` of a Python program, as a fork.

    Args:
        words: Python; then a script, or "-m" and a module; then arguments.
        stdin, stdout, stderr: `subprocess.PIPE`, or a file.
        text: Pipes are of text.
        env: All variables of its environment; `None` for those of this process.
    """

    def __init__(self, words, stdin, stdout, stderr, text=True, env=None):
        assert text
        self.stdin, own_in = self._end(stdin, "w")
        self.stdout, own_out = self._end(stdout, "r")
        _, own_err = self._end(stderr, "r")
        ends = [Connection(end) for end in (own_in, own_out, own_err)]
        task = ([*map(str, words[1:])], {**(os.environ if env is None else env)}, os.getcwd(), ends)
        self._process = _CONTEXT.Process(target=_program, args=task, daemon=True)
        self._process.start()
        for end in ends:
            end.close()
        self.pid, self.kill = self._process.pid, self._process.kill

    def wait(self):
        """The exit status, after the end."""
        self._process.join(SECONDS)
        return self._process.exitcode

    @staticmethod
    def _end(stream, mode):
        """This process's end of a pipe as a file, and the fork's descriptor."""
        if stream != subprocess.PIPE:
            return None, os.dup(stream.fileno())
        ends = os.pipe()
        own, other = ends if mode == "r" else reversed(ends)
        return os.fdopen(own, mode), other


def run_forked(*words):
    """Exit status and output of a Python program, as `subprocess.run` gives them."""
    with (
        open(os.devnull) as nothing,
        tempfile.TemporaryFile("w+") as out,
        tempfile.TemporaryFile("w+") as err,
    ):
        status = Forked([sys.executable, *words], nothing, out, err).wait()
        out.seek(0)
        err.seek(0)
        return subprocess.CompletedProcess(words, status, out.read(), err.read())


def _program(words, variables, folder, ends):
    for number, end in enumerate(ends):
        os.dup2(end.fileno(), number)
    sys.stdin = os.fdopen(0)  # `multiprocessing` has put an empty file there
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(variables)
    if words[0] == "-m":
        without_tensorflow()
        sys.argv = words[1:]
        runpy.run_module(words[1], run_name="__main__", alter_sys=True)
    else:
        run(words[0], words[1:], None, None)


def without_tensorflow():
    """Keras would import TensorFlow to save a model, with every backend, which takes seconds."""
    if keras.config.backend() != "tensorflow":
        module_utils.tensorflow._available = False
        # Nor does the package start it, to keep back its lines.
        quiet.importlib = SimpleNamespace(import_module=lambda name: None)


def _work(script, words, variables, log, folder, text):
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.chdir(folder)
    os.environ.pop("XLA_FLAGS", None)  # that of tests/conftest.py
    os.environ.update(variables)
    run(script, words, text, None)


def run(script, words, text, marker):
    """Run a script in this process."""
    without_tensorflow()
    sys.path.insert(0, os.path.dirname(script))
    sys.argv = [script, *words]
    if text is not None and not (marker and Path(marker).exists()):
        sys.stdout = _Dying(sys.stdout, text, marker)
    runpy.run_path(script, run_name="__main__")


class _Dying:
    """A stream that kills the process once a text was written to it."""

    def __init__(self, stream, text, marker):
        self._stream, self._text, self._marker = stream, text, marker

    def write(self, words):
        dies = self._text in words
        self._stream.write(f"{words}\n" if dies else words)
        if dies:
            self._stream.flush()
            if self._marker:
                Path(self._marker).touch()
            os.kill(os.getpid(), signal.SIGKILL)

    def flush(self):
        self._stream.flush()


if __name__ == "__main__":
    run(sys.argv[3], sys.argv[4:], *sys.argv[1:3])
