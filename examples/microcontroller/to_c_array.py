"""Turn a spiking network into C: `model_data.h` and `model_data.c` for `main.cc`.

    pip install numpy tflite-micro
    python to_c_array.py net.tflite image.npy --output .

Beside the file's bytes they hold one image of bytes and its spike counts, computed here by
TensorFlow Lite Micro, so that the first thing the device does is to prove that it computes the
same; and a table from bytes to the network's input, so that it needs no floating point.
"""

import argparse
from pathlib import Path

import numpy as np
from run_tflm import Network, scale_pixels

HEADER = """\
/* Written by to_c_array.py from {source}. */
#ifndef MODEL_DATA_H_
#define MODEL_DATA_H_

#include <stdint.h>

#define MODEL_DATA_SIZE {size}
#define IMAGE_SIZE {pixels}
#define CLASSES {classes}

#ifdef __cplusplus
extern "C" {{
#endif

extern const uint8_t model_data[MODEL_DATA_SIZE]; /* the .tflite file */
extern const int16_t pixel_to_input[256];         /* round(pixel / 255 * {scale:g}) */
extern const uint8_t sample_image[IMAGE_SIZE];    /* rows, columns, channels */
extern const int16_t sample_counts[CLASSES];

#ifdef __cplusplus
}}
#endif

#endif
"""


def c_array(declaration, values):
    """A constant array, 16 numbers a line."""
    rows = [values[i : i + 16] for i in range(0, len(values), 16)]
    lines = ",\n    ".join(", ".join(map(str, row)) for row in rows)
    return f"{declaration} = {{\n    {lines}}};\n"


def c_files(path, image):
    """Text of the header and of the source."""
    network = Network(path)
    image = np.asarray(image)
    if image.dtype != np.uint8 or image.shape != network.input_shape[1:]:
        raise ValueError(f"the image must be {network.input_shape[1:]} bytes, as a camera gives")
    content = Path(path).read_bytes()
    counts = network(image)[0]
    header = HEADER.format(
        source=Path(path).name,
        size=len(content),
        pixels=image.size,
        classes=counts.size,
        scale=network.facts["input_scale"],
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


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", help=".tflite file of an integer network, unrolled")
    parser.add_argument("image", help=".npy file, (height, width, channels) bytes")
    parser.add_argument("--output", default=".", type=Path, help="folder for the two files")
    arguments = parser.parse_args()
    try:
        header, source = c_files(arguments.model, np.load(arguments.image))
        (arguments.output / "model_data.h").write_text(header)
        (arguments.output / "model_data.c").write_text(source)
    except (OSError, ValueError) as error:
        parser.error(str(error))
    print(f"{arguments.output / 'model_data.h'}, {arguments.output / 'model_data.c'}")


if __name__ == "__main__":
    main()
