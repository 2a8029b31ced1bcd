"""Forks of this process that do what `python WORDS` does, so that Keras is imported once."""

import importlib
import os
import resource
import runpy
import signal
import subprocess
import sys
import time
import traceback

POLL = 0.001


def forked(words, folder, backend, limit):
    """A fork that runs a module or a script in a folder, and what it prints."""
    os.environ.update(KERAS_BACKEND=backend, OMP_NUM_THREADS="1", TF_CPP_MIN_LOG_LEVEL="3")
    importlib.import_module("keras_proxy_snn.model")
    sys.stdout.flush()
    sys.stderr.flush()
    own, others = os.pipe()
    pid = os.fork()
    if pid:
        os.close(others)
        return Fork(pid), os.fdopen(own)
    status = 1
    try:
        for number, target in ((os.open(os.devnull, os.O_RDONLY), 0), (others, 1), (others, 2)):
            os.dup2(number, target)
        os.close(own)
        os.chdir(folder)
        limited(limit)
        status = _run(words)
    finally:
        os._exit(status)


def _run(words):
    """What Python does with these words; its exit status."""
    try:
        if words[0] == "-m":
            sys.argv = words[1:]
            runpy.run_module(words[1], run_name="__main__", alter_sys=True)
        else:
            sys.argv = words
            runpy.run_path(words[0], run_name="__main__")
    except SystemExit as end:
        return end.code or 0
    except BaseException:
        traceback.print_exc()
        return 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
    return 0


def limited(limit):
    """Set the largest size of a file, in bytes."""
    if limit is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))


class Fork:
    """What is needed of `subprocess.Popen`, for a fork."""

    def __init__(self, pid):
        self.pid = pid
        self.returncode = None

    def poll(self):
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode

    def wait(self, patience):
        end = time.monotonic() + patience
        while self.poll() is None:
            if time.monotonic() > end:
                raise subprocess.TimeoutExpired("fork", patience)
            time.sleep(POLL)

    def send_signal(self, number):
        os.kill(self.pid, number)

    def kill(self):
        self.send_signal(signal.SIGKILL)
