"""What the package promises as a whole: light imports, levels, examples that run."""

import ast
import doctest
import importlib
import json
import pkgutil
import subprocess
import sys
from pathlib import Path

import keras
import pytest

import keras_proxy_snn

ROOT = Path(keras_proxy_snn.__file__).parent
BACKENDS = {"tensorflow", "jax", "torch"}

# Level of each room; a room imports strictly lower levels, and never another room of its own.
LEVELS = {
    "_version": 0,
    "_startup": 0,
    "_arrays": 0,
    "datasets": 0,
    "neurons": 0,
    "layers": 1,
    "cnn": 2,
    "simulation": 2,
    "mapping": 3,
    "training": 4,
    "model": 5,
    "conversion": 6,
    "saving": 6,
    "export": 6,
    "statistics": 6,
    "visualization": 6,
    "presets": 7,
    "callbacks": 7,
    "methods": 8,
    "paper": 9,
    "cli": 10,
    "__main__": 11,
}


def modules():
    own = keras.config.backend()
    for info in pkgutil.walk_packages([str(ROOT)], "keras_proxy_snn."):
        if info.name.split(".")[-1] not in BACKENDS - {own}:
            yield info.name


def imported_rooms(path):
    """Rooms of this package that a file imports, inside functions too."""
    package = ["keras_proxy_snn", *path.relative_to(ROOT).parts[:-1]]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            full = [*base, *(node.module.split(".") if node.module else [])]
            if full[:1] == ["keras_proxy_snn"]:
                yield from [full[1]] if len(full) > 1 else [alias.name for alias in node.names]


@pytest.mark.parametrize("path", sorted(ROOT.rglob("*.py")), ids=lambda p: str(p.relative_to(ROOT)))
def test_rooms_import_lower_levels_alone(path):
    room = path.relative_to(ROOT).parts[0].removesuffix(".py")
    if room == "__init__":
        return
    for other in set(imported_rooms(path)) - {room}:
        assert LEVELS[other] < LEVELS[room], f"{room} imports {other}"


def test_importing_loads_no_leafs_library_and_no_second_backend():
    code = (
        "import json, sys, keras; before = set(sys.modules); import keras_proxy_snn;"
        "print(json.dumps(sorted(set(sys.modules) - before)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT.parent
    )
    # What Keras itself loads is Keras's affair; this package adds nothing but the standard library.
    added = {name.split(".")[0] for name in json.loads(done.stdout.splitlines()[-1])}
    assert "keras_proxy_snn" in added
    assert added <= {"keras_proxy_snn", *sys.stdlib_module_names}


@pytest.mark.parametrize("name", sorted(modules()))
def test_docstring_examples_run(name):
    result = doctest.testmod(importlib.import_module(name), optionflags=doctest.ELLIPSIS)
    assert result.failed == 0


def test_every_public_class_and_function_shows_an_example():
    missing = []
    for name in keras_proxy_snn.__all__:
        item = getattr(keras_proxy_snn, name)
        documented = callable(item) and not (
            isinstance(item, type) and issubclass(item, Warning | Exception)
        )
        if documented and ">>>" not in (item.__doc__ or ""):
            missing.append(name)
    assert missing in ([], ["Preset"])
