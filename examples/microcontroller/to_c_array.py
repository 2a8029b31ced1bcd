"""Write a spiking network as C data: `model_data.h` and `model_data.c` for `main.cc`.

    pip install numpy tflite-micro
    python to_c_array.py net.tflite image.npy --output .

The two files hold

- the bytes of the `.tflite` file, of the form "unrolled" or "step";
- how often it runs per image: once, or T times, and the size of the potentials between two steps;
- the operators of the network;
- the memory that the device must reserve: the bytes that TensorFlow Lite Micro used on this
  machine, plus one eighth. Its structures are larger on a desktop with 64 bits than on a device
  with 32 bits. The eighth is for the needs of a device's own kernels, such as CMSIS-NN;
- one image of bytes and its spike counts, computed on this machine by TensorFlow Lite Micro. The
  device first checks that it computes the same counts. Numbers of other types in the file are
  rounded to bytes, which a camera gives, so their counts can differ from those of `run_tflm.py`;
- a table from bytes to the network's input, so that the device needs no floating point.
"""

import argparse
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
from run_tflm import INSTALL, Network, in_range, operators, read_images, scale_pixels

# Operators that `main.cc` can register.
OPERATORS = (
    "ADD",
    "CONV_2D",
    "DEPTHWISE_CONV_2D",
    "FULLY_CONNECTED",
    "MAX_POOL_2D",
    "MUL",
    "RELU",
    "SUB",
)

HEADER = """\
/* Written by to_c_array.py from {source}. */
#ifndef MODEL_DATA_H_
#define MODEL_DATA_H_

#include <stdint.h>

#define MODEL_DATA_SIZE {size}
#define MODEL_ARENA_SIZE {arena}
#define IMAGE_SIZE {pixels}
#define CLASSES {classes}
#define MODEL_RUNS {runs} /* calls of the interpreter per image */
#define MODEL_STATE_SIZE {state} /* numbers of 16 bits that are kept from one call to the next */

#define MODEL_OPERATORS {count}
{operators}

#ifdef __cplusplus
extern "C" {{
#endif

extern const uint8_t model_data[MODEL_DATA_SIZE]; /* the .tflite file */
extern const int16_t pixel_to_input[256];         /* round(pixel / 255 * {scale}) */
extern const uint8_t sample_image[IMAGE_SIZE];    /* rows, columns, channels */
extern const int16_t sample_counts[CLASSES];

#ifdef __cplusplus
}}
#endif

#endif
"""


def arena_size(path, image):
    """Bytes that the interpreter uses, plus one eighth, rounded up to whole KiB."""
    run = [sys.executable, Path(__file__).with_name("run_tflm.py"), path, image, "--allocations"]
    # A separate process, because the interpreter prints its memory use to the process's stderr.
    done = subprocess.run(run, capture_output=True, text=True, check=False)
    total = re.search(r"Arena allocation total (\d+) bytes", done.stderr)
    if total is None:
        raise ValueError(f"TensorFlow Lite Micro does not say its memory: {done.stderr.strip()}")
    return -(-int(total[1]) * 9 // 8 // 1024) * 1024


def c_array(declaration, values):
    """A constant array in C, 16 numbers per line."""
    rows = [values[i : i + 16] for i in range(0, len(values), 16)]
    lines = ",\n    ".join(", ".join(map(str, row)) for row in rows)
    return f"{declaration} = {{\n    {lines}}};\n"


def read_image(path, network):
    """The one image of a file, as bytes."""
    image = read_images(path)
    shape = network.input_shape[1:]
    if image.shape not in (shape, (1, *shape)):
        raise ValueError(
            f"one image {shape} is needed, as images[0] of many. Received: {image.shape}"
        )
    image = image.reshape(shape)
    if image.dtype == np.uint8:
        return image
    white = np.float32(network.facts.get("input_range", (0, 1))[1])
    return np.rint(in_range(image, network.facts) / white * np.float32(255)).astype("uint8")


def state_size(network):
    """Numbers that `main.cc` keeps between two calls; it knows potentials by their place alone."""
    if "keep" in network.inputs:
        raise ValueError("main.cc runs the forms 'unrolled' and 'step', not 'stateful'")
    states = network.states
    if network.inputs != ["image", *states] or network.outputs[1:] != [f"{v}_out" for v in states]:
        raise ValueError(
            "main.cc needs the image first, and potentials in one order: "
            f"it has {network.inputs} and {network.outputs}"
        )
    return sum(int(np.prod(network.shapes[name])) for name in states)


def c_files(path, image_path):
    """Text of the header and text of the source."""
    network = Network(path)
    state = state_size(network)
    image = read_image(image_path, network)
    content = Path(path).read_bytes()
    counts = network(image)[0]
    used = operators(content)
    if unknown := sorted(set(used) - set(OPERATORS)):
        raise ValueError(f"main.cc registers no {', '.join(unknown)}: add them there and here")
    header = HEADER.format(
        source=Path(path).name,
        size=len(content),
        arena=arena_size(path, image_path),
        runs=network.runs,
        state=state,
        count=len(used),
        operators="\n".join(f"#define MODEL_HAS_{name}" for name in used),
        pixels=image.size,
        classes=counts.size,
        scale=scale_pixels(np.uint8(255), network.facts),
    )
    table = scale_pixels(np.arange(256, dtype="uint8"), network.facts)
    arrays = (
        # The interpreter reads numbers in place, so the file must be aligned.
        c_array("_Alignas(16) const uint8_t model_data[MODEL_DATA_SIZE]", list(content)),
        c_array("const int16_t pixel_to_input[256]", table.tolist()),
        c_array("const uint8_t sample_image[IMAGE_SIZE]", image.ravel().tolist()),
        c_array("const int16_t sample_counts[CLASSES]", counts.tolist()),
    )
    return header, "\n".join(('#include "model_data.h"\n', *arrays))


def write(path, text):
    """Write a file beside its place and rename it, so that a kill leaves no half of one."""
    draft = path.with_name(f".draft-{path.name}")
    draft.write_text(text)
    draft.replace(path)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", help=".tflite file of an integer network, unrolled or step")
    parser.add_argument("image", help=".npy file of one image: bytes, or numbers from 0 to 1")
    parser.add_argument("--output", default=".", type=Path, help="folder for the two files")
    arguments = parser.parse_args()
    try:
        header, source = c_files(arguments.model, arguments.image)
        write(arguments.output / "model_data.h", header)
        write(arguments.output / "model_data.c", source)
    except ImportError as error:
        parser.error(f"{INSTALL} ({error})")
    except (OSError, ValueError) as error:
        parser.error(str(error))
    print(f"{arguments.output / 'model_data.h'}, {arguments.output / 'model_data.c'}")


if __name__ == "__main__":
    main()
