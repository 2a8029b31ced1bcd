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
    "export",
    "conversion saving statistics",
    "visualization",
    "presets callbacks verification",
    "methods",
    "paper",
    "cli",
    "__main__ __init__",
)
LEVELS = {room: level for level, rooms in enumerate(ROOMS) for room in rooms.split()}
# What imports the module that its first argument names.
IMPORTERS = {"import_module", "__import__", "resolve_name", "require", "run_module"}
# What only asks for a module. Its name may be a variable, because then no room is reached by it.
ASKERS = {"find_spec", "check_installed"}
# What imports a file or code that cannot be read here.
OPAQUE = {"run_path", "spec_from_file_location", "SourceFileLoader", "load_module", "exec_module"}
# What runs code that is a text.
RUNNERS = {"exec", "eval"}
# These functions, called by their names as texts, could not be found.
NAMES = (IMPORTERS | ASKERS | OPAQUE | RUNNERS) - {"require", "check_installed"}


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
                renamed = alias.name in IMPORTERS | ASKERS | RUNNERS and alias.asname
                unreadable = renamed or f"{full}.{alias.name}" == "sys.modules"
                yield node, None if unreadable else f"{full}.{alias.name}"
        elif isinstance(node, ast.Call) and last_name(node.func) in IMPORTERS:
            if id(node) not in handed_on:
                yield node, spelled(node.args[0], package) if node.args else None
        elif isinstance(node, ast.Call) and is_runner(node.func):
            yield from ((node, name) for name in run(node.args, package))
        elif (asked := asked_for(node)) is not None:
            if is_text(asked):
                yield node, spelled(asked, package)
        elif is_hidden(node) or (is_importer(node) and id(node) not in called):
            yield node, None


def is_importer(node):
    return last_name(node) in IMPORTERS | ASKERS | OPAQUE or is_runner(node)


def is_runner(node):
    """Whether a node is `exec` or `eval` of Python; `network.eval` is a method of PyTorch."""
    owner = ast.unparse(node.value) if isinstance(node, ast.Attribute) else "builtins"
    return last_name(node) in RUNNERS and owner in ("builtins", "__builtins__")


def is_hidden(node):
    """Whether an importer is called in a way that hides its name or what it imports."""
    if isinstance(node, ast.Constant):
        return node.value in NAMES
    if not isinstance(node, ast.Call):
        return False
    owners = {"importlib", "util", "runpy", "builtins", "__builtins__"}
    by_variable = last_name(node.func) == "getattr" and last_name(node.args[0]) in owners
    constant = len(node.args) > 1 and isinstance(node.args[1], ast.Constant)
    return last_name(node.func) in OPAQUE or (by_variable and not constant)


def run(arguments, package):
    """What a text that is run imports; `None` if the text cannot be read."""
    if not arguments or not isinstance(arguments[0], ast.Constant):
        return [None]
    try:
        return [name for _, name in imports(ast.parse(str(arguments[0].value)), package)]
    except SyntaxError:
        return [None]


def asked_for(node):
    """The module that `find_spec` or `sys.modules` is asked for, as a node; or `None`."""
    if isinstance(node, ast.Subscript) and ast.unparse(node.value) == "sys.modules":
        return node.slice
    if isinstance(node, ast.Call) and node.args:
        of_modules = isinstance(node.func, ast.Attribute) and (
            ast.unparse(node.func.value) == "sys.modules"
        )
        if of_modules or last_name(node.func) in ASKERS:
            return node.args[0]
    return None


def is_text(node):
    """Whether a text is in an expression, so that a part of a module's name may be."""
    return any(isinstance(part, ast.Constant | ast.JoinedStr) for part in ast.walk(node))


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


def in_circles(root):
    """The files under `root` that import each other in a circle, or lie between two circles."""
    files = {}
    for path in root.rglob("*.py"):
        parts = ["keras_proxy_snn", *path.relative_to(root).with_suffix("").parts]
        files[".".join(parts).removesuffix(".__init__")] = path
    reads = {}
    for module, path in files.items():
        tree = ast.parse(path.read_text())
        package = module if path.stem == "__init__" else module.rpartition(".")[0]
        exceptions = exceptional_imports(tree) if module == "keras_proxy_snn.model" else ()
        names = {
            name
            for node, name in imports(tree, package)
            if name and node not in exceptions and not names_a_folder(node, name, files)
        }
        reads[module] = {file_of(name, files) for name in names} - {None, module}
    while True:
        read = set().union(*reads.values())
        ends = {module for module, names in reads.items() if not names or module not in read}
        if not ends:
            return sorted(reads)
        reads = {m: names - ends for m, names in reads.items() if m not in ends}


def names_a_folder(node, name, files):
    """Whether an f-string is known only up to a folder; it imports a file inside this folder."""
    part = isinstance(node, ast.Call) and isinstance(node.args[0], ast.JoinedStr)
    return part and name in files and files[name].stem == "__init__"


def file_of(name, files):
    """The file that an import of `name` reads: the longest beginning that is a file."""
    parts = name.split(".")
    beginnings = (".".join(parts[:end]) for end in range(len(parts), 0, -1))
    return next((beginning for beginning in beginnings if beginning in files), None)


@pytest.mark.once
def test_no_files_import_each_other_in_a_circle():
    assert in_circles(ROOT) == []


@pytest.mark.once
@pytest.mark.parametrize(
    ("files", "circle"),
    [
        ({"a": "from .b import x", "b": "from .a import y"}, "ab"),
        ({"a": "from .b import x", "b": "if TYPE_CHECKING:\n    from .a import y"}, "ab"),
        (
            {"a": "from . import b", "b": "def f():\n    from . import c", "c": "from .a import x"},
            "abc",
        ),
        ({"a": "from .b import x", "b": "import_module(f'{__package__}.a.y')"}, "ab"),
        ({"a": "from .b import x", "b": "from .c import y", "c": "import keras"}, ""),
        ({"a": "from .b import x", "b": "", "c": "from . import a, b"}, ""),
    ],
)
def test_a_planted_circle_is_found(tmp_path, files, circle):
    (tmp_path / "layers").mkdir()
    for name, code in files.items():
        (tmp_path / f"layers/{name}.py").write_text(code)
    assert in_circles(tmp_path) == [f"keras_proxy_snn.layers.{name}" for name in circle]


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
        ("layers/new.py", "runpy.run_module('keras_proxy_snn.cnn.spec')", "layers imports cnn"),
        ("layers/new.py", "runpy.run_path(path)", "cannot read runpy.run_path(path)"),
        ("layers/new.py", "exec('from ..cnn import build')", "layers imports cnn"),
        ("layers/new.py", "builtins.exec('from ..cnn import build')", "layers imports cnn"),
        ("layers/new.py", "eval('__import__(\"keras_proxy_snn.cnn\")')", "layers imports cnn"),
        ("layers/new.py", "exec(code)", "cannot read exec(code)"),
        ("layers/new.py", "run = exec", "cannot read exec"),
        ("layers/new.py", "find_spec('keras_proxy_snn.cnn')", "layers imports cnn"),
        ("layers/new.py", "importlib.util.find_spec('keras_proxy_snn.cnn.spec')", "imports cnn"),
        ("layers/new.py", "find_spec(f'keras_proxy_snn.{name}')", "cannot read find_spec"),
        ("layers/new.py", "find_spec('keras_proxy_snn.' + name)", "cannot read find_spec"),
        ("layers/new.py", "from importlib.util import find_spec as f", "cannot read"),
        ("layers/new.py", "sys.modules['keras_proxy_snn.cnn']", "layers imports cnn"),
        ("layers/new.py", "sys.modules.get('keras_proxy_snn.cnn.spec')", "layers imports cnn"),
        ("layers/new.py", "sys.modules[f'keras_proxy_snn.{name}']", "cannot read sys.modules["),
        ("layers/new.py", "from sys import modules", "cannot read from sys import modules"),
        (
            "layers/new.py",
            "getattr(importlib, 'import_module')('keras_proxy_snn.cnn')",
            "cannot read 'import_module'",
        ),
        (
            "layers/new.py",
            "getattr(importlib, name)(other)",
            "cannot read getattr(importlib, name)",
        ),
        ("layers/new.py", "vars(importlib)['__import__'](other)", "cannot read '__import__'"),
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
        ("cnn/new.py", "find_spec('onnx')\nfind_spec(library)\nnetwork.eval()"),
        ("cnn/new.py", "sys.modules[backend]\nsys.modules['numpy']\n'keras' in sys.modules"),
        ("basics/checks.py", "def require(module):\n    return importlib.import_module(module)"),
    ],
)
def test_what_the_rule_allows(tmp_path, file, code):
    (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / file).write_text(code)
    assert list(broken_rules(tmp_path)) == []


@pytest.mark.slow
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
