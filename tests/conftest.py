import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# JAX keeps all it compiled, for the other worker, for processes of their own, and for the next run.
os.environ.setdefault(
    "JAX_COMPILATION_CACHE_DIR",
    os.path.abspath(f"{os.path.dirname(__file__)}/../.pytest_cache/jax"),
)
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
# Four devices of JAX's, among which a model can be shared out.
os.environ.setdefault("XLA_FLAGS", "--xla_force_host_platform_device_count=4")
# JAX compiles a generator of random numbers for each shape of weights; in this form in a fifth of
# the time (0.4 for 2.1 s).
os.environ.setdefault("JAX_THREEFRY_PARTITIONABLE", "0")
# A test must not depend on a user's ~/.keras/keras.json, so the backend is always explicit.
os.environ.setdefault("KERAS_BACKEND", "tensorflow")

import numpy as np
import pytest
from hypothesis import settings

# Keras is imported where it is used: the process that hands out the tests to others needs none.

# The files that take longest begin first, so that in the end no worker waits long for another.
LONGEST_FIRST = (
    *("weights", "cli", "conversion", "model", "memory", "counts", "site", "distributed", "files"),
    *("event_driven", "readme", "on_device", "tandem", "datasets", "notebooks", "statistics"),
    *("project", "benchmarks", "layer_kernels", "from_keras", "inputs", "quantised_proxy"),
    *("surrogate", "node", "browser", "mapping", "verification", "presets", "proxy", "extremes"),
    *("export", "paper", "batches", "visualization", "export_litert", "bias_calibration"),
    *("events", "graph_calls", "export_averages", "layers", "responses", "settings", "package"),
    *("visualization_activity", "kernels", "stages", "layer_contract", "export_residual"),
    *("export_nir", "export_onnx", "edge_report", "export_from_keras", "quantise", "fuzz", "fused"),
)
settings.register_profile("tests", deadline=None, derandomize=True, max_examples=20)
settings.load_profile("tests")


def place(item):
    """Where a test stands in that order."""
    name = item.path.stem.removeprefix("test_")
    return LONGEST_FIRST.index(name) if name in LONGEST_FIRST else len(LONGEST_FIRST)


def marked(item, name):
    """Whether a mark of tests that run on one backend holds for a test."""
    return item.get_closest_marker(name) and not item.get_closest_marker("each_backend")


def runs_once(item):
    """Whether a test would do the very same on every backend."""
    return marked(item, "once")


def pytest_collection_modifyitems(items):
    """`run.py` names one backend of several, on which the tests marked `once` run."""
    import keras

    items.sort(key=place)
    once_on = os.environ.get("TESTS_ONCE_ON", keras.config.backend())
    if keras.config.backend() != once_on:
        for item in items:
            if runs_once(item) or marked(item, "any_backend"):
                item.add_marker(pytest.mark.skip(reason=f"runs on {once_on} alone"))


@pytest.fixture(autouse=True)
def _once_builds_no_layer(request, monkeypatch):
    """A test marked `once` needs no backend: in it, making a layer or a model fails."""
    import keras

    def refuse(*arguments, **options):
        raise AssertionError("A test marked `once` made a Keras layer, which is a backend's.")

    if runs_once(request.node):
        monkeypatch.setattr(keras.Layer, "__init__", refuse)


@pytest.fixture(autouse=True)
def _fresh_keras():
    """Same seed for every test, and no global state from the one before."""
    import keras

    keras.utils.clear_session(free_memory=False)
    keras.utils.set_random_seed(0)
    yield
    keras.config.set_dtype_policy("float32")


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture(scope="session")
def digits():
    """Real handwritten digits, `(x_train, y_train), (x_test, y_test)`."""
    from keras_proxy_snn import datasets

    return datasets.load("digits")
