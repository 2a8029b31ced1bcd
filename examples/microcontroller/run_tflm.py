"""Run a spiking network in TensorFlow Lite Micro, the interpreter of microcontrollers.

    pip install numpy tflite-micro
    python run_tflm.py net.tflite images.npy

The file must be an unrolled LiteRT file of an integer network, as `keras_proxy_snn.export.export`
writes it. The images are a NumPy array `(images, height, width, channels)`, or
`(height, width, channels)` for one image. Pixels are bytes from 0 to 255, or numbers from 0 to 1.
`to_c_array.py` takes the same files, of one image. The script prints spike counts. The
microcontroller gives exactly the same counts, because all arithmetic is on integers.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np

INSTALL = "tflite-micro is needed: pip install numpy tflite-micro"


def read_facts(content):
    """Facts about the network from the file's metadata: form, `input_scale`, ..."""
    from tflite_micro.tensorflow.lite.micro.python import schema_py_generated as schema

    if content[4:8] != b"TFL3":
        raise ValueError("not a .tflite file")
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content))
    for entry in model.metadata or ():
        if entry.name == b"keras_proxy_snn":
            return json.loads(bytes(model.buffers[entry.buffer].data))
    raise ValueError("not a file from keras_proxy_snn")


def operators(content):
    """Names of the operators in a file, such as "CONV_2D", sorted."""
    from tflite_micro.tensorflow.lite.micro.python import schema_py_generated as schema

    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content))
    names = {value: name for name, value in vars(schema.BuiltinOperator).items()}
    return sorted(names[code.builtinCode] for code in model.operatorCodes)


def scale_pixels(images, facts):
    """Convert images to the network's input, int16: `round(pixel * white * input_scale)`."""
    pixels = np.asarray(images)
    pixels = pixels / np.float32(255) if pixels.dtype == np.uint8 else pixels.astype("float32")
    if not ((pixels >= 0) & (pixels <= 1)).all():
        raise ValueError("pixels must be from 0 to 1, or bytes")
    # Black is 0 in an integer network; `input_scale` is the scale of pixels from 0 to white.
    white = np.float32(facts.get("input_range", (0, 1))[1])
    return np.rint(pixels * white * np.float32(facts["input_scale"])).astype("int16")


class Network:
    """A file loaded into the interpreter. A call with images returns their spike counts."""

    def __init__(self, path, arena_size=1 << 24):
        from tflite_micro.python.tflite_micro import runtime

        content = Path(path).read_bytes()
        self.facts = read_facts(content)
        if (self.facts["form"], self.facts["number_format"]) != ("unrolled", "int8"):
            raise ValueError("not an unrolled integer network")
        if self.facts.get("readout", "counts") != "counts":
            raise ValueError("its readout is by potential, but classes are told by counts here")
        self.interpreter = runtime.Interpreter.from_bytes(content, arena_size=arena_size)
        self.input_shape = tuple(int(n) for n in self.interpreter.get_input_details(0)["shape"])

    def __call__(self, images):
        if images.shape[-3:] != self.input_shape[1:] or images.ndim > 4:
            raise ValueError(f"images must be {self.input_shape[1:]}, not {images.shape}")
        counts = []
        for image in scale_pixels(images, self.facts).reshape(-1, *self.input_shape):
            self.interpreter.set_input(image, 0)
            self.interpreter.invoke()
            counts.append(self.interpreter.get_output(0)[0])
        return np.array(counts)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", help=".tflite file")
    parser.add_argument("images", help=".npy file of images: bytes, or numbers from 0 to 1")
    parser.add_argument(
        "--allocations", action="store_true", help="print the memory use of the arena"
    )
    arguments = parser.parse_args()
    try:
        network = Network(arguments.model)
        images = np.load(arguments.images)
        start = time.perf_counter()
        counts = network(images)
    except ImportError as error:
        parser.error(f"{INSTALL} ({error})")
    except (OSError, ValueError) as error:
        parser.error(f"{arguments.model}, {arguments.images}: {error}")
    milliseconds = (time.perf_counter() - start) * 1000 / len(counts)
    for row in counts:
        print(f"class {row.argmax()}  counts {' '.join(map(str, row))}")
    print(f"T = {network.facts['time_steps']}, {milliseconds:.2f} ms an image on this machine")
    if arguments.allocations:
        network.interpreter.print_allocations()


if __name__ == "__main__":
    main()
