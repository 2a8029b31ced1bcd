import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# JAX keeps what it compiled, for other tests and the next run: a fifth of its time, and two thirds.
os.environ.setdefault(
    "JAX_COMPILATION_CACHE_DIR",
    os.path.abspath(f"{os.path.dirname(__file__)}/../.pytest_cache/jax"),
)
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.1")
# A test must not depend on a user's ~/.keras/keras.json, so the backend is always explicit.
os.environ.setdefault("KERAS_BACKEND", "tensorflow")

import keras
import numpy as np
import pytest
from hypothesis import settings

settings.register_profile("tests", deadline=None, derandomize=True, max_examples=20)
settings.load_profile("tests")


def pytest_collection_modifyitems(items):
    """A test marked `once` loads no backend, so it would do the very same again on the others."""
    if keras.config.backend() != "tensorflow":
        for item in items:
            if item.get_closest_marker("once"):
                item.add_marker(pytest.mark.skip(reason="loads no backend; runs with TensorFlow"))


@pytest.fixture(autouse=True)
def _fresh_keras():
    """Same seed for every test, and no global state from the one before."""
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
