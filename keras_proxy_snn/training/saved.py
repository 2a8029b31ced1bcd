"""Configurations in saved models: what is left out, and classes that only one backend has."""

from typing import Any

__all__ = ["of_any_backend", "without_compilation"]

_BACKENDS = "keras.src.backend."


def without_compilation(config: Any) -> Any:
    """The configuration of a model, without what it and the models inside it were compiled with.

    Example:

    >>> from keras_proxy_snn.training.saved import without_compilation
    >>> without_compilation({"layers": [{"name": "cnn", "compile_config": {"loss": "mse"}}]})
    {'layers': [{'name': 'cnn'}]}
    """
    if isinstance(config, dict):
        return {k: without_compilation(v) for k, v in config.items() if k != "compile_config"}
    return [without_compilation(part) for part in config] if isinstance(config, list) else config


def of_any_backend(config: Any) -> Any:
    """The configuration that a model was compiled with, with optimizers of no certain backend.

    On PyTorch, Keras saves an optimizer as a class that imports PyTorch. Elsewhere such a file
    could not be loaded, or its training could not go on. `keras.optimizers` has each of these
    classes under the same name, and chooses the one of its backend.

    Example:

    >>> from keras_proxy_snn.training.saved import of_any_backend
    >>> place = "keras.src.backend.torch.optimizers.torch_adam"
    >>> of_any_backend({"module": place, "class_name": "Adam", "registered_name": "Adam"})
    {'module': 'keras.optimizers', 'class_name': 'Adam', 'registered_name': None}
    """
    if isinstance(config, list):
        return [of_any_backend(part) for part in config]
    if not isinstance(config, dict):
        return config
    module = config.get("module")
    if isinstance(module, str) and module.startswith(_BACKENDS) and ".optimizers." in module:
        config = {**config, "module": "keras.optimizers", "registered_name": None}
    return {key: of_any_backend(value) for key, value in config.items()}
