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

# Level of each module; one may import lower levels and its own, leaves never each other.
LEVELS = {
    "_version": 0,
    "_startup": 0,
    "spec": 0,
    "neuron": 0,
    "_arrays": 0,
    "_fused": 0,
    "_triton": 0,
    "_pallas": 0,
    "_event_kernels": 0,
    "proxy": 0,
    "_targets": 0,
    "layers": 1,
    "losses": 1,
    "metrics": 1,
    "graph": 2,
    "nodes": 2,
    "twins": 2,
    "_parts": 2,
    "_chunks": 2,
    "_event_driven": 2,
    "_loop": 2,
    "_mapper": 2,
    "mapping": 2,
    "responses": 2,
    "calibration": 2,
    "conversion": 2,
    "weights": 2,
    "_wiring": 2,
    "network": 2,
    "training": 2,
    "model": 2,
    "presets": 2,
    "quantised_ann": 2,
    "bias_calibration": 2,
    "baselines": 3,
    "benchmark": 3,
    "callbacks": 3,
    "datasets": 3,
    "export": 3,
    "statistics": 3,
    "visualization": 3,
    "model_file": 3,
    "export_command": 4,
    "tensorboard": 4,
    "cli": 4,
    "paper": 4,
    "__main__": 4,
}
LEAVES = {name for name, level in LEVELS.items() if level == 3}


def modules():
    own = keras.config.backend()
    for info in pkgutil.walk_packages([str(ROOT)], "keras_proxy_snn."):
        if info.name.split(".")[-1] not in BACKENDS - {own}:
            yield info.name


def imported_parts(path):
    """Top-level parts of this package that a file imports."""
    package = ["keras_proxy_snn", *path.relative_to(ROOT).parts[:-1]]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            full = [*base, *(node.module.split(".") if node.module else [])]
            if full[:1] == ["keras_proxy_snn"]:
                yield from [full[1]] if len(full) > 1 else [alias.name for alias in node.names]


@pytest.mark.parametrize("path", sorted(ROOT.rglob("*.py")), ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_go_one_way(path):
    part = path.relative_to(ROOT).parts[0].removesuffix(".py")
    if part == "__init__":
        return
    for other in imported_parts(path):
        assert LEVELS[other] <= LEVELS[part], f"{part} imports {other}"
        if LEVELS[part] < 4:
            assert other == part or other not in LEAVES, f"{part} imports the leaf {other}"


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
