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

# Rooms from the ground up. A room imports rooms of lower rows, never another room of its own row.
ROOMS = (
    "_version basics",
    "datasets neurons",
    "layers",
    "cnn simulation",
    "mapping",
    "training",
    "model",
    "conversion saving export statistics",
    "visualization",
    "presets callbacks verification",
    "methods",
    "paper",
    "cli",
    "__main__ __init__",
)
LEVELS = {room: level for level, rooms in enumerate(ROOMS) for room in rooms.split()}
# What imports the module that its first argument names.
IMPORTERS = {"import_module", "__import__", "resolve_name", "require"}


def modules():
    own = keras.config.backend()
    for info in pkgutil.walk_packages([str(ROOT)], "keras_proxy_snn."):
        if info.name.split(".")[-1] not in BACKENDS - {own}:
            yield info.name


def spelled(argument, package):
    """The module's name that a string says, as far as it can be read; None if that is not far."""
    if isinstance(argument, ast.Constant):
        name = str(argument.value)
        return None if name.startswith(".") else name
    if not isinstance(argument, ast.JoinedStr):
        return None
    known = ""
    for part in argument.values:
        if isinstance(part, ast.Constant):
            known += part.value
        elif ast.unparse(part.value) == "__package__":
            known += package
        else:
            break
    # The part after the last dot may go on in what is not known.
    name = known.rpartition(".")[0]
    return None if name in ("", "keras_proxy_snn") else name


def imports(tree, package):
    """Each import of a module, wherever it stands: its node, and the whole name or None."""
    nodes = list(ast.walk(tree))
    called = {id(node.func) for node in nodes if isinstance(node, ast.Call)}
    # `require(module)` hands its own argument on; where it is called, that is read.
    handed_on = {
        id(call)
        for node in nodes
        if isinstance(node, ast.FunctionDef) and node.name == "require"
        for call in ast.walk(node)
        if isinstance(call, ast.Call)
        and [ast.unparse(argument) for argument in call.args] == [node.args.args[0].arg]
    }
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from ((node, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            path = package.split(".")
            base = path[: len(path) - node.level + 1] if node.level else []
            full = ".".join([*base, *([node.module] if node.module else [])])
            for alias in node.names:
                # By another name, its calls could not be found.
                unreadable = alias.name in IMPORTERS and alias.asname
                yield node, None if unreadable else f"{full}.{alias.name}"
        elif isinstance(node, ast.Call) and last_name(node.func) in IMPORTERS:
            if id(node) not in handed_on:
                yield node, spelled(node.args[0], package) if node.args else None
        elif last_name(node) in IMPORTERS and id(node) not in called:
            yield node, None


def last_name(node):
    """`c` of the expressions `c` and `a.b.c`."""
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", None)


def broken_rules(root):
    """Every import under `root` that the rule of the rooms forbids, in words."""
    for path in sorted(root.rglob("*.py")):
        room = path.relative_to(root).parts[0].removesuffix(".py")
        package = ".".join(["keras_proxy_snn", *path.relative_to(root).parts[:-1]])
        tree = ast.parse(path.read_text())
        exceptions = exceptional_imports(tree) if room == "model" else ()
        if room not in LEVELS:
            yield f"{room} is not in the table of rooms"
            continue
        for node, name in imports(tree, package):
            where = f"{path.relative_to(root)}:{node.lineno}"
            if name is None:
                yield f"{where}: cannot read {ast.unparse(node)}"
                continue
            first, other, *inner = [*name.split("."), None]
            if first != "keras_proxy_snn" or other == room or node in exceptions:
                continue
            if other not in LEVELS:
                yield f"{where}: {name} is in no room"
            elif LEVELS[other] >= LEVELS[room]:
                yield f"{where}: {room} imports {other}"
            elif any(part.startswith("_") and not part.endswith("__") for part in inner if part):
                yield f"{where}: {name} is private"


def exceptional_imports(tree):
    """The ordinary imports of the room `export` inside `ProxyModel.export`."""
    return [
        node
        for model in tree.body
        if isinstance(model, ast.ClassDef) and model.name == "ProxyModel"
        for method in model.body
        if isinstance(method, ast.FunctionDef) and method.name == "export"
        for node in ast.walk(method)
        if isinstance(node, ast.ImportFrom) and (node.level, node.module) == (1, "export")
    ]


@pytest.mark.once
def test_rooms_import_lower_levels_alone():
    assert list(broken_rules(ROOT)) == []


MODEL = "class ProxyModel:\n    def {}(self):\n        from .export import export"


@pytest.mark.once
@pytest.mark.parametrize(
    ("file", "code", "fault"),
    [
        ("layers/new.py", "from ..cnn import build", "layers imports cnn"),
        ("layers/new.py", "from ..cnn.build import build_ann", "layers imports cnn"),
        ("layers/new.py", "from .. import cnn", "layers imports cnn"),
        ("layers/new.py", "import keras_proxy_snn.cnn.build", "layers imports cnn"),
        ("layers/new.py", "from keras_proxy_snn.cnn import spec", "layers imports cnn"),
        ("layers/deep/new.py", "from ...cnn import build", "layers imports cnn"),
        ("layers/new.py", "def f():\n    from ..cnn import build", "layers imports cnn"),
        ("layers/new.py", "if TYPE_CHECKING:\n    from ..cnn import build", "layers imports cnn"),
        ("layers/new.py", "import_module('keras_proxy_snn.cnn')", "layers imports cnn"),
        (
            "layers/new.py",
            "def f():\n    importlib.import_module('keras_proxy_snn.cnn.build')",
            "cnn",
        ),
        ("layers/new.py", "import_module(f'keras_proxy_snn.cnn.{name}')", "layers imports cnn"),
        ("layers/new.py", "__import__('keras_proxy_snn.cnn')", "layers imports cnn"),
        ("layers/new.py", "checks.require('keras_proxy_snn.cnn')", "layers imports cnn"),
        ("simulation/new.py", "from ..cnn.spec import parse_spec", "simulation imports cnn"),
        ("basics/new.py", "from .._version import __version__", "basics imports _version"),
        ("model.py", "from .export import export", "model imports export"),
        ("model.py", MODEL.format("save"), "model imports export"),
        ("model.py", "def export():\n    from .export import export", "model imports export"),
        ("cnn/new.py", "from ..layers._maps import maps", "layers._maps.maps is private"),
        ("cnn/new.py", "from ..layers import _maps", "layers._maps is private"),
        ("cnn/new.py", "from ..layers.base import _fold", "layers.base._fold is private"),
        ("cnn/new.py", "from ..basics.arrays import _cast", "basics.arrays._cast is private"),
        ("cnn/new.py", "import_module('keras_proxy_snn.layers._maps')", "layers._maps is private"),
        ("cnn/new.py", "import keras_proxy_snn", "keras_proxy_snn is in no room"),
        ("cnn/new.py", "from .. import __version__", "__version__ is in no room"),
        ("attic/new.py", "", "attic is not in the table"),
        (
            "cnn/new.py",
            "importlib.import_module(name)",
            "cannot read importlib.import_module(name)",
        ),
        ("cnn/new.py", "import_module(f'{name}.cnn')", "cannot read"),
        ("cnn/new.py", "import_module(f'keras_proxy_snn.{name}')", "cannot read"),
        ("cnn/new.py", "import_module('..' + 'model', __package__)", "cannot read"),
        ("cnn/new.py", "import_module('..model', __package__)", "cannot read"),
        ("cnn/new.py", "import_module(name='keras_proxy_snn.model')", "cannot read"),
        ("cnn/new.py", "from importlib import import_module as load", "cannot read"),
        ("cnn/new.py", "load = importlib.import_module", "cannot read importlib.import_module"),
        ("cnn/new.py", "def require(module):\n    import_module(other)", "cannot read"),
        ("cnn/new.py", "require(name)", "cannot read require(name)"),
    ],
)
def test_a_planted_import_breaks_the_rule(tmp_path, file, code, fault):
    (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / file).write_text(code)
    (found,) = broken_rules(tmp_path)
    assert fault in found


@pytest.mark.once
@pytest.mark.parametrize(
    ("file", "code"),
    [
        ("model.py", MODEL.format("export")),
        ("cnn/new.py", "from ..layers.base import TiedIF"),
        ("cnn/new.py", "from . import _private\nfrom ._private import _name"),
        ("cnn/new.py", "from ..basics.arrays import as_float32\nfrom ..basics import checks"),
        ("cnn/new.py", "from .._version import __version__"),
        ("cnn/new.py", "import_module(f'{__package__}.{name}')"),
        ("cnn/new.py", "import_module(f'onnx.{name}')\nrequire('onnx')\nimport onnx"),
        ("basics/checks.py", "def require(module):\n    return importlib.import_module(module)"),
    ],
)
def test_what_the_rule_allows(tmp_path, file, code):
    (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / file).write_text(code)
    assert list(broken_rules(tmp_path)) == []


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


@pytest.mark.any_backend
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
