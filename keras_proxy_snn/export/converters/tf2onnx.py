"""Convert TensorFlow's graph of a model to an ONNX file with tf2onnx.

The writer `keras_proxy_snn.export.onnx` makes smaller and faster files without TensorFlow. This
converter serves to check that writer. Both use the same model, names of inputs and outputs, and
metadata; they share no code that builds a graph.
"""

from pathlib import Path

from ...basics.checks import require
from ...basics.files import replacing
from ...model import ProxyModel
from ..frontend.from_model import from_model
from ..onnx import metadata
from ..seal import UNSEALED, sealed
from .graphs import FORMS, graph

__all__ = ["FORMS", "write"]

_OPSET = 18


def write(model: ProxyModel, path: str | Path, *, form: str = "unrolled") -> None:
    """Convert a model on the TensorFlow backend to an ONNX file.

    Inputs and outputs have the names of `keras_proxy_snn.export.onnx.write`. Potentials of maps
    have the shape `(batch, height, width, filters)`.

    Args:
        model: The model.
        path: The file to write; an existing one is replaced.
        form: One of `FORMS`.

    Raises:
        ValueError: If the form is unknown, or Keras does not run on TensorFlow.
        ImportError: If tf2onnx is not installed.

    Example:

    >>> import tempfile
    >>> import keras, keras_proxy_snn
    >>> from keras_proxy_snn.export.converters import tf2onnx
    >>> model = keras_proxy_snn.build("2C3-P2-3F", input_shape=(4, 4, 1), time_steps=2)
    >>> if keras.config.backend() == "tensorflow":
    ...     with tempfile.TemporaryDirectory() as folder:
    ...         tf2onnx.write(model, f"{folder}/net.onnx")
    """
    function = graph(model, form, None, "tf2onnx")
    proto, _ = require("tf2onnx").convert.from_function(
        function, input_signature=function.input_signature, opset=_OPSET
    )
    for key, value in {**metadata(from_model(model), form), "seal": UNSEALED}.items():
        proto.metadata_props.add(key=key, value=value)
    with replacing(path) as draft:
        draft.write_bytes(sealed(proto.SerializeToString()))
