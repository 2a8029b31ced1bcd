"""The backend that Keras takes when nobody has chosen one."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from keras_proxy_snn.basics import startup

pytestmark = pytest.mark.once


@pytest.fixture
def fresh(monkeypatch, tmp_path):
    """A machine where nobody chose, and Keras is not imported; tells which backends it has."""
    monkeypatch.delitem(sys.modules, "keras")
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))

    def install(*installed):
        for name in {"tensorflow", "jax", "torch"} - set(installed):
            monkeypatch.setitem(sys.modules, name, None)

    return install


@pytest.mark.parametrize("backend", ["jax", "torch"])
@pytest.mark.parametrize("config", [None, {"backend": "tensorflow"}, {}, [], "damaged"])
def test_the_only_backend_is_taken(fresh, tmp_path, monkeypatch, backend, config):
    """Keras itself writes TensorFlow into its file at the first import: nobody's choice."""
    fresh(backend)
    monkeypatch.setenv("KERAS_BACKEND", "")  # As good as none for Keras too.
    if config is not None:
        text = config if config == "damaged" else json.dumps(config)
        (tmp_path / "keras.json").write_text(text)
    startup.choose_backend()
    assert os.environ["KERAS_BACKEND"] == backend


@pytest.mark.parametrize("installed", [("tensorflow",), ("tensorflow", "jax", "torch")])
def test_tensorflow_stays_the_default_of_keras(fresh, installed):
    fresh(*installed)
    startup.choose_backend()
    assert "KERAS_BACKEND" not in os.environ


def test_a_choice_is_never_overridden(fresh, tmp_path, monkeypatch):
    fresh("tensorflow", "jax", "torch")
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    startup.choose_backend()
    assert os.environ["KERAS_BACKEND"] == "jax"
    monkeypatch.delenv("KERAS_BACKEND")
    (tmp_path / "keras.json").write_text(json.dumps({"backend": "torch"}))
    startup.choose_backend()
    assert "KERAS_BACKEND" not in os.environ


@pytest.mark.parametrize("where", ["variable", "file"])
@pytest.mark.parametrize(
    ("backend", "installed", "cure"),
    [
        ("tensrflow", ("jax", "torch"), "before the import: jax, torch\\. Received"),
        ("numpy", ("jax",), "before the import: jax\\. Received"),
        ("torch", ("jax",), 'jax\\. Or: pip install "keras-proxy-snn\\[torch\\]"\\. Received'),
        ("jax", (), 'Install one: pip install "keras-proxy-snn\\[jax\\]".*\\)\\. Received'),
    ],
)
def test_a_chosen_backend_must_be_installed(
    fresh, tmp_path, monkeypatch, where, backend, installed, cure
):
    """Keras says only that it cannot import it."""
    fresh(*installed)
    if where == "variable":
        monkeypatch.setenv("KERAS_BACKEND", backend)
        what = "KERAS_BACKEND"
    else:
        (tmp_path / "keras.json").write_text(json.dumps({"backend": backend}))
        what = f"`backend` in {re.escape(str(tmp_path / 'keras.json'))}"
    rule = f"^{what} must name an installed backend: tensorflow, jax or torch\\. .*"
    with pytest.raises(ImportError, match=f"{rule}{cure}: '{backend}'\\.$"):
        startup.choose_backend()


@pytest.mark.parametrize(
    ("installed", "cure"),
    [
        ((), 'pip install "keras-proxy-snn\\[jax\\]".*: nothing\\.'),
        (("jax", "torch"), "Set the environment variable KERAS_BACKEND.*: jax, torch"),
    ],
)
def test_one_error_says_what_to_do(fresh, installed, cure):
    fresh(*installed)
    with pytest.raises(ImportError, match=cure):
        startup.choose_backend()


def test_the_package_can_be_imported_with_one_backend(tmp_path):
    program = """
import importlib.machinery
import sys


class Without(importlib.machinery.PathFinder):
    @classmethod
    def find_spec(cls, name, *arguments):
        absent = name.partition(".")[0] in ("tensorflow", "torch")
        return None if absent else super().find_spec(name, *arguments)


sys.meta_path[sys.meta_path.index(importlib.machinery.PathFinder)] = Without
import keras_proxy_snn
print(keras_proxy_snn.model.keras.backend.backend())
"""
    environment = {name: value for name, value in os.environ.items() if name != "KERAS_BACKEND"}
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**environment, "HOME": str(tmp_path), "KERAS_HOME": str(tmp_path)},
        cwd=Path(startup.__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "jax\n"), done.stderr
