"""The ANN twin of a network as a LiteRT file, to compare the spiking files with."""

from pathlib import Path

import numpy as np

from ...basics.checks import require
from ...basics.files import replacing
from ...basics.quiet import without_standard_error
from ...basics.types import Images
from .. import litert
from ..program import Program

__all__ = ["twin_scores", "write_twin"]


def write_twin(program: Program, calibration: Images, number: str, path: Path) -> None:
    """Write the ANN twin.

    Args:
        program: The float network; its metadata may hold `proxy_activation`.
        calibration: Training images `(batch, height, width, channels)`, only for int8.
        number: `"float32"` or `"int8"`. An int8 file, with int8 input and output, is quantised by
            TensorFlow, by the last stage of `TFLiteConverter`.
        path: The file to write.

    Raises:
        ImportError: If int8 is wanted without TensorFlow.
    """
    if number == "int8":
        if calibration is None:
            raise ValueError("An integer network needs training images. Received: no images.")
        tensorflow = require("tensorflow", "tensorflow")
        calibrator = require("tensorflow.lite.python.optimize.calibrator", "tensorflow")
    litert.write_twin(program, path, clip=program.metadata.get("proxy_activation") == "clip")
    if number == "int8":
        samples = ([image[None]] for image in calibration)
        quantiser = calibrator.Calibrator(path.read_bytes())
        int8 = tensorflow.int8
        content = quantiser.calibrate_and_quantize(lambda: samples, int8, int8, False)
        with replacing(path) as draft:
            draft.write_bytes(content)


def twin_scores(path: Path, images: np.ndarray) -> np.ndarray:
    """Outputs of a file of `write_twin` for images: `(batch, classes)`."""
    module = require("ai_edge_litert.interpreter", "ai-edge-litert")
    interpreter = module.Interpreter(model_path=str(path), num_threads=1)
    with without_standard_error():  # LiteRT tells of its delegate, once per process
        interpreter.allocate_tensors()
    (entry,), (output,) = interpreter.get_input_details(), interpreter.get_output_details()
    if entry["dtype"] == np.int8:
        scale, zero = entry["quantization"]
        images = np.rint(images / scale + zero).clip(-128, 127).astype("int8")
    scores = []
    for image in images:
        interpreter.set_tensor(entry["index"], image[None])
        interpreter.invoke()
        scores.append(interpreter.get_tensor(output["index"])[0])
    return np.stack(scores)
