"""Set-up and main commands. Needs nothing but Python 3.11 to 3.13.

    python run.py demo             # train a spiking network and draw it
    python run.py demo --dataset fashion_mnist --epochs 1 --images 5000 --time-steps 10
    python run.py test             # pass the tests on TensorFlow, JAX and PyTorch
    python run.py test --backend jax -- -k spec
    python run.py docs             # the documentation site, into site/
    python run.py package          # wheel and sdist into dist/; the wheel tried in an empty folder
    python run.py package jax,cli  # with these extras, downloaded into a fresh environment
    python run.py package each     # with each extra alone, in a fresh environment each time
    python run.py compatibility oldest jax    # with the oldest libraries that are supported
    python run.py compatibility newest torch  # with the newest that there are
    python run.py setup            # only make the environment of test, docs and package

Options after `demo` go to examples/train.py: --dataset (auto, fashion_mnist, cifar10, digits),
--data-dir FOLDER, --epochs N, --images N (train on the first N), --time-steps T, --output FOLDER,
--seed N.

Everything is installed into the folder `.venv` beside this file, and nowhere else; a `.venv` of
another Python is removed and made anew. `compatibility` and `package` with extras have an
environment of their own, which they remove.
"""

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent
ENVIRONMENT = ROOT / ".venv"
PYTHON = ENVIRONMENT / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
BACKENDS = ("tensorflow", "jax", "torch")
COMMANDS = ("demo", "test", "docs", "package", "compatibility", "setup")
# Each takes a core and up to 2 GiB of memory.
WORKERS = min(4, os.cpu_count() or 1)
EXTRAS = {"demo": "tensorflow,datasets,tfds,viz,cli", "test": "all,dev", "docs": "cli,jax,docs"}
# What each extra of `all` must have brought; tests/smoke.py then uses each library.
LIBRARIES = {
    **{backend: (backend,) for backend in BACKENDS},
    "datasets": ("PIL",),
    "tfds": ("tensorflow_datasets", "tensorflow", "PIL"),
    "export": ("onnxruntime", "ai_edge_litert", "nir", "tf2onnx"),
    "viz": ("matplotlib", "tensorboardX"),
    "cli": ("click",),
    "events": ("tonic",),
    "event-driven": ("numba",),
}
# Backend of a trial whose extras name none; for all others the one that is downloaded fastest.
COMPANIONS = {"tfds": "tensorflow", "export": "tensorflow"}
COMPANION = "jax"
# What `compatibility` runs: counts against NumPy, the gradient, saved files, kinds of data.
SELECTION = ("counts", "proxy", "save", "batches")
# Their own requirements pull in far more than the tests against them need.
ALONE = {
    "test": [
        *("spikingjelly==2.0.0", "loguru", "snntorch==1.0.0", "neurobench==2.3.0"),
        # PyTorch's builds for GPUs bring it; its interpreter runs the GPU's kernel on a processor.
        "triton==3.6.0; sys_platform == 'linux'",
    ]
}


def call(*command, **environment):
    """Run a command from the project's root; stop here if it fails."""
    done = subprocess.run(command, cwd=ROOT, env={**os.environ, **environment})
    if done.returncode:
        sys.exit(done.returncode)


def check_python():
    """Remove the environment if another Python made it, for it would test that Python."""
    if not ENVIRONMENT.exists():
        return
    facts = ENVIRONMENT / "pyvenv.cfg"
    text = facts.read_text() if facts.exists() else ""
    found = re.search(r"^version(?:_info)? = (\d+\.\d+)", text, re.MULTILINE)
    this = f"{sys.version_info[0]}.{sys.version_info[1]}"
    if found and found[1] == this:
        return
    if not found:
        sys.exit(
            f"{ENVIRONMENT} must be an environment that run.py made. Received: a folder without "
            "`pyvenv.cfg`, or without its Python's version. Remove the folder, and try again."
        )
    print(f"{ENVIRONMENT} has Python {found[1]}, and this is {this}: it is made anew.", flush=True)
    ENVIRONMENT.unlink() if ENVIRONMENT.is_symlink() else shutil.rmtree(ENVIRONMENT)


def set_up(*purposes):
    """Install the extras of commands, unless that has been done for this very project file."""
    # In a terminal, pip shows how far it is; in the log of a CI it says nothing.
    quiet = () if sys.stdout.isatty() else ("-q",)
    # Of 20,000 files few are ever imported; Python compiles those when they are.
    pip = (str(PYTHON), "-m", "pip", "--disable-pip-version-check", "install", "--no-compile")
    pip = (*pip, *quiet)
    check_python()
    facts = b"".join((ROOT / name).read_bytes() for name in ("pyproject.toml", "constraints.txt"))
    edition = hashlib.sha256(facts).hexdigest()[:16]
    missing = [what for what in purposes if not (ENVIRONMENT / f"{what}-{edition}").exists()]
    if not missing:
        return
    print(f"Installing for {', '.join(missing)} into {ENVIRONMENT} (some minutes) ...", flush=True)
    if not PYTHON.exists():
        venv.create(ENVIRONMENT, with_pip=True)
    extras = ",".join(EXTRAS[what] for what in missing)
    call(*pip, "-c", "constraints.txt", "-e", f".[{extras}]")
    if alone := [requirement for what in missing for requirement in ALONE.get(what, ())]:
        call(*pip, "--no-deps", *alone)
    for what in missing:
        (ENVIRONMENT / f"{what}-{edition}").touch()


def demo(rest):
    """Run the main job."""
    set_up("demo")
    backend = os.environ.get("KERAS_BACKEND", "tensorflow")
    call(str(PYTHON), "examples/train.py", *rest, KERAS_BACKEND=backend, TF_CPP_MIN_LOG_LEVEL="3")


def test(backends, rest):
    """Check style and types once, and run the suite once for each backend.

    What a backend has no part in is marked `once`, and runs with one backend alone: PyTorch where
    it is tested, because it starts in a third of TensorFlow's time and compiles nothing.
    """
    set_up("test")
    python = str(PYTHON)
    call(python, "-m", "ruff", "check", ".")
    call(python, "-m", "ruff", "format", "--check", ".")
    # One core reads types for a minute, so the first suite runs beside it.
    types = subprocess.Popen([python, "-m", "mypy"], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    failed = []
    for backend in backends:
        print(f"\n=== {backend} ===", flush=True)
        start = time.monotonic()
        # A thread for each worker: on few cores their threads would wait for one another.
        environment = {"OMP_NUM_THREADS": "1", **os.environ, "KERAS_BACKEND": backend}
        environment["TESTS_ONCE_ON"] = "torch" if "torch" in backends else backends[0]
        # By file, so that what the tests of a file share is made once; in the order of conftest.py.
        options = ["-n", str(WORKERS), "--dist", "loadfile", "--no-loadscope-reorder"]
        command = [python, "-m", "pytest", *options, *rest]
        done = subprocess.run(command, cwd=ROOT, env=environment)
        print(f"=== {backend}: {time.monotonic() - start:.0f} s ===", flush=True)
        if done.returncode:
            failed.append(backend)
        if types:
            print(types.communicate()[0], flush=True)
            failed += ["types"] * bool(types.returncode)
            types = None
    if failed:
        sys.exit(f"Failed: {', '.join(failed)}")


def docs(rest):
    """Build the site; a warning, such as a link that leads nowhere, is an error."""
    set_up("docs")
    quiet = {"NO_MKDOCS_2_WARNING": "1", "PATH": f"{PYTHON.parent}{os.pathsep}{os.environ['PATH']}"}
    call(str(PYTHON), "-m", "mkdocs", "build", "--strict", "--quiet", *rest, **quiet)


def package(rest):
    """Build wheel and sdist, look into them, and try the wheel where no source tree is."""
    trials = trials_of(rest)
    set_up("test")
    shutil.rmtree(ROOT / "dist", ignore_errors=True)
    call(str(PYTHON), "-m", "build", "--no-isolation", "--outdir", "dist")
    (wheel,), (sdist,) = (ROOT / "dist").glob("*.whl"), (ROOT / "dist").glob("*.tar.gz")
    call(str(PYTHON), "-m", "twine", "check", "--strict", str(wheel), str(sdist))
    for extras in trials:
        try_package(wheel, extras)


def trials_of(rest):
    """For each trial of a package its extras with a backend; none for the libraries of `.venv`."""
    if not rest:
        return [[]]
    named = rest[0].split(",")
    if unknown := [name for name in named if name not in (*LIBRARIES, "all", "each")]:
        known = ", ".join(("each", "all", *LIBRARIES))
        sys.exit(f"Extras must be of {known}. Received: {', '.join(unknown)}.")
    if "each" in named and named != ["each"]:
        sys.exit(f"`each` stands alone. Received: {rest[0]}.")
    trials = [[extra] for extra in LIBRARIES] if named == ["each"] else [named]
    for extras in trials:
        if not {*extras} & {*BACKENDS, "all"}:
            needed = (COMPANIONS[extra] for extra in extras if extra in COMPANIONS)
            extras.append(next(needed, COMPANION))
    return trials


def try_package(wheel, extras):
    """Install a wheel where no source tree is, and use each library of its extras."""
    chosen = LIBRARIES if not extras or "all" in extras else extras
    required = ",".join(dict.fromkeys(name for extra in chosen for name in LIBRARIES[extra]))
    print(f"\n=== {','.join(extras) or 'the libraries of .venv'} ===", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        installed = Path(folder) / "environment"
        if extras:
            venv.create(installed, with_pip=True)
            python = installed / PYTHON.relative_to(ENVIRONMENT)
            options, target, place = (), f"{wheel}[{','.join(extras)}]", {}
        else:
            # The libraries are those of `.venv`; the package is the wheel's.
            python, target, place = PYTHON, str(wheel), {"PYTHONPATH": str(installed)}
            options = ("--no-deps", "--target", str(installed))
        pip = (str(python), "-m", "pip", "--disable-pip-version-check", "install", "-q")
        call(*pip, target, *options)
        backend = next((name for name in BACKENDS if name in chosen), BACKENDS[0])
        if not extras:
            backend = os.environ.get("KERAS_BACKEND", backend)
        place["KERAS_BACKEND"] = backend
        call(str(python), "tests/smoke.py", "--require", required, **place)


def bounds(which, backend):
    """What the package requires with a backend, or the oldest version of each."""
    import tomllib  # newer than the Pythons that `main` refuses

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    required = [*project["dependencies"], *project["optional-dependencies"][backend]]
    return [r.replace(">=", "==") for r in required] if which == "oldest" else required


def compatibility(rest):
    """Run a selection of the tests with the oldest or the newest supported libraries."""
    if len(rest) < 2 or rest[0] not in ("oldest", "newest") or rest[1] not in BACKENDS:
        sys.exit(f"`compatibility` needs 'oldest' or 'newest', and one of {BACKENDS}.")
    which, backend, *more = rest
    with tempfile.TemporaryDirectory() as folder:
        environment = Path(folder) / "environment"
        venv.create(environment, with_pip=True)
        python = str(environment / PYTHON.relative_to(ENVIRONMENT))
        pip = (python, "-m", "pip", "--disable-pip-version-check", "install", "-q", "--upgrade")
        call(*pip, *bounds(which, backend), "pytest", "hypothesis")
        files = [f"tests/test_{name}.py" for name in SELECTION]
        places = {"KERAS_BACKEND": backend, "TESTS_ONCE_ON": backend, "OMP_NUM_THREADS": "1"}
        # What JAX 0.4.35 reads from its cache of compiled programs gives wrong weights.
        places["JAX_ENABLE_COMPILATION_CACHE"] = "false"
        call(*pip[:3], "--disable-pip-version-check", "list", "--format=freeze")
        # Old libraries warn of each other.
        lenient = ("-W", "default") if which == "oldest" else ()
        options = ("-q", "-p", "no:cacheprovider", *lenient)
        call(python, "-m", "pytest", *options, *files, *more, **places)


def main():
    """Read the command line."""
    if not (3, 11) <= sys.version_info[:2] <= (3, 13):
        sys.exit(f"Python 3.11 to 3.13 is needed. This is {sys.version.split()[0]}.")
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("command", choices=COMMANDS)
    parser.add_argument("--backend", choices=BACKENDS, nargs="+", default=BACKENDS)
    own, rest = parser.parse_known_args()
    # Where this is set, each of the tests' many processes would compile the package anew.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    rest = [argument for argument in rest if argument != "--"]
    if own.command == "demo":
        demo(rest)
    elif own.command == "test":
        test(own.backend, rest)
    elif own.command == "docs":
        docs(rest)
    elif own.command == "package":
        package(rest)
    elif own.command == "compatibility":
        compatibility(rest)
    else:
        set_up("test", "docs")


if __name__ == "__main__":
    main()
