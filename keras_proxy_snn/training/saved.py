"""Saved models: whole files, and configurations in which some parts are left out or replaced."""

from pathlib import Path
from typing import Any

import keras

from ..basics.files import draft_of

__all__ = ["WholeFiles", "of_any_backend", "without_compilation"]

_BACKENDS = "keras.src.backend."


def without_compilation(config: Any) -> Any:
    """The configuration of a model; it and the models inside it are not compiled.

    Example:

    >>> from keras_proxy_snn.training.saved import without_compilation
    >>> without_compilation({"layers": [{"name": "cnn", "compile_config": {"loss": "mse"}}]})
    {'layers': [{'name': 'cnn'}]}
    """
    if isinstance(config, dict):
        return {k: without_compilation(v) for k, v in config.items() if k != "compile_config"}
    return [without_compilation(part) for part in config] if isinstance(config, list) else config


def of_any_backend(config: Any) -> Any:
    """The settings of `compile`, with optimizers that load on every backend.

    On PyTorch, Keras saves an optimizer as a class that imports PyTorch. Elsewhere such a file
    could not be loaded, or its training could not go on. `keras.optimizers` has each of these
    classes under the same name, and chooses the class of its backend.

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


class WholeFiles(keras.Model):
    """A model whose files are whole, even if the process is killed while it writes them."""

    def save(self, filepath: str | Path, overwrite: bool = True, **kwargs: Any) -> None:
        """As `keras.Model.save`, but the file is whole even if the process is killed.

        Raises:
            FileExistsError: If the file exists and `overwrite` is false, where Keras would ask.
            ValueError: If the file does not end in `.keras`; or with `zipped=False`, because a
                folder cannot be replaced at once.
        """
        if kwargs.get("zipped") not in (None, True):
            raise ValueError(
                "`zipped` must be True: a kill would leave a folder with a part of the model. A "
                f".keras file is a ZIP archive of that folder. Received: {kwargs['zipped']!r}."
            )
        self.get_config()
        with draft_of(filepath, ".keras", overwrite) as draft:
            super().save(draft, overwrite=overwrite, **kwargs)

    def save_weights(
        self, filepath: str | Path, overwrite: bool = True, max_shard_size: float | None = None
    ) -> None:
        """As `keras.Model.save_weights`, but the file is whole even if the process is killed.

        Raises:
            FileExistsError: If the file exists and `overwrite` is false, where Keras would ask.
            ValueError: If the file does not end in `.weights.h5`; or with `max_shard_size`, because
                several files cannot be replaced at once.
        """
        if max_shard_size is not None:
            raise ValueError(
                "`max_shard_size` must be None: a kill would leave files with weights of two "
                f"models. One file holds all weights. Received: {max_shard_size!r}."
            )
        with draft_of(filepath, ".weights.h5", overwrite) as draft:
            super().save_weights(draft, overwrite=overwrite)
