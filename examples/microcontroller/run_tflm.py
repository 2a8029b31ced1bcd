"""Run a spiking network in TensorFlow Lite Micro, the interpreter of microcontrollers.

    pip install numpy tflite-micro
    python run_tflm.py net.tflite images.npy

The file must be a LiteRT file of an integer network, as `keras_proxy_snn.export.export` writes it,
of any form: "unrolled" holds all T steps; "step" and "stateful" hold one step and are run T times.
The images are a NumPy array `(images, height, width, channels)`, or `(height, width, channels)` for
one image, in a .npy file. Pixels are bytes from 0 to 255, or numbers from 0 to 1; a network that
was trained with images from 0 to 255 takes such numbers too. `to_c_array.py` takes the same images,
one of them. The script prints spike counts. The microcontroller gives exactly the same counts,
because all arithmetic is on integers.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np

INSTALL = "tflite-micro is needed: pip install numpy tflite-micro"
FORMS = ("unrolled", "step", "stateful")


def read_model(content):
    """A file's content as an object of its schema."""
    from tflite_micro.tensorflow.lite.micro.python import schema_py_generated as schema

    if content[4:8] != b"TFL3":
        raise ValueError("not a .tflite file")
    return schema.ModelT.InitFromObj(schema.Model.GetRootAs(content))


def read_facts(content):
    """Facts about the network from the file's metadata: form, `input_scale`, ..."""
    model = read_model(content)
    for entry in model.metadata or ():
        if entry.name == b"keras_proxy_snn":
            return json.loads(bytes(model.buffers[entry.buffer].data))
    raise ValueError("not a file from keras_proxy_snn")


def operators(content):
    """Names of the operators in a file, such as "CONV_2D", sorted."""
    from tflite_micro.tensorflow.lite.micro.python import schema_py_generated as schema

    names = {value: name for name, value in vars(schema.BuiltinOperator).items()}
    return sorted(names[code.builtinCode] for code in read_model(content).operatorCodes)


def names_of(content):
    """Names of the inputs and of the outputs, in their order: the interpreter knows no names."""
    graph = read_model(content).subgraphs[0]
    return [[graph.tensors[i].name.decode() for i in x] for x in (graph.inputs, graph.outputs)]


def read_images(path):
    """The array of a .npy file."""
    with open(path, "rb") as file:
        if file.read(6) != b"\x93NUMPY":
            raise ValueError("images must be a .npy file, as np.save writes it")
    return np.load(path, allow_pickle=False)


def in_range(images, facts):
    """Pixels as numbers from 0 to the network's white, float32.

    Bytes, and integers of 16 bits without a sign, have a known white. Other pixels go from 0 to 1.
    If a network's own pixels go from 0 to 255 or more, they are taken too: no picture has all its
    pixels below 1 of 255.
    """
    pixels = np.asarray(images)
    white = np.float32(facts.get("input_range", (0, 1))[1])  # black is 0 in an integer network
    if pixels.dtype in ("uint8", "uint16"):
        return pixels / np.float32(np.iinfo(pixels.dtype).max) * white
    if pixels.dtype.kind not in "buif":
        raise ValueError(f"images must be numbers, not {pixels.dtype}")
    own = white >= 255 and pixels.max(initial=0) > 1
    if not ((pixels >= 0) & (pixels <= (white if own else 1))).all():
        also = f", or from 0 to {white:g}" if white >= 255 else ""
        also = also or (f", which become 0 to {white:g}" if white != 1 else "")
        raise ValueError(
            f"pixels must be bytes, or numbers from 0 to 1{also}. "
            f"Received: {pixels.dtype} from {pixels.min():g} to {pixels.max():g}"
        )
    return pixels.astype("float32") * (1 if own else white)


def scale_pixels(images, facts):
    """Convert images to the network's input, int16: `round(pixel * input_scale)`."""
    return np.rint(in_range(images, facts) * np.float32(facts["input_scale"])).astype("int16")


class Network:
    """A file loaded into the interpreter. A call with images returns their spike counts."""

    def __init__(self, path, arena_size=1 << 24):
        from tflite_micro.python.tflite_micro import runtime

        content = Path(path).read_bytes()
        self.facts = read_facts(content)
        if self.facts["number_format"] != "int8":
            raise ValueError("not an integer network: export it with --quantise")
        if self.facts["form"] not in FORMS:
            raise ValueError(f"its form must be one of {FORMS}, not {self.facts['form']!r}")
        if self.facts.get("readout", "counts") != "counts":
            raise ValueError("its readout is by potential, but classes are told by counts here")
        self.interpreter = runtime.Interpreter.from_bytes(content, arena_size=arena_size)
        self.runs = 1 if self.facts["form"] == "unrolled" else self.facts["time_steps"]
        self.inputs, self.outputs = names_of(content)
        details = map(self.interpreter.get_input_details, range(len(self.inputs)))
        shapes = [tuple(int(n) for n in entry["shape"]) for entry in details]
        self.shapes = dict(zip(self.inputs, shapes, strict=True))
        self.input_shape = self.shapes["image"]
        self.states = [name for name in self.inputs if name.startswith("v_")]

    def __call__(self, images):
        if images.shape[-3:] != self.input_shape[1:] or images.ndim > 4:
            raise ValueError(f"images must be {self.input_shape[1:]}, not {images.shape}")
        scaled = scale_pixels(images, self.facts).reshape(-1, *self.input_shape)
        return np.array([self.spike_counts(image) for image in scaled])

    def spike_counts(self, image):
        """Spike counts of one image in the network's unit; potentials start at 0."""
        feed = {name: np.zeros(self.shapes[name], "int16") for name in self.inputs}
        feed["image"] = image
        counts = 0
        for _ in range(self.runs):
            for place, name in enumerate(self.inputs):
                self.interpreter.set_input(feed[name], place)
            self.interpreter.invoke()
            found = {name: self.interpreter.get_output(i) for i, name in enumerate(self.outputs)}
            counts = counts + found["spike_counts" if "spike_counts" in found else "spikes"][0]
            feed.update({name: found[f"{name}_out"] for name in self.states})
            if "keep" in feed:  # 0 in the first step clears the potentials that the file keeps
                feed["keep"] = np.ones(self.shapes["keep"], "int16")
        return counts


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
        images = read_images(arguments.images)
        start = time.perf_counter()
        counts = network(images)
    except ImportError as error:
        parser.error(f"{INSTALL} ({error})")
    except (OSError, ValueError) as error:
        parser.error(f"{arguments.model}, {arguments.images}: {error}")
    milliseconds = (time.perf_counter() - start) * 1000 / len(counts)
    for row in counts:
        print(f"class {row.argmax()}  counts {' '.join(map(str, row))}")
    print(f"T = {network.facts['time_steps']}, {milliseconds:.2f} ms per image on this machine")
    if arguments.allocations:
        network.interpreter.print_allocations()


if __name__ == "__main__":
    main()
