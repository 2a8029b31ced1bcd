"""Write net.c and net.h of a network, and images.h: images, and the counts the device must give.

python prepare.py digits                 # the pretrained network of a preset
python prepare.py net.keras --images 20  # a ProxyModel of your own, or a .kps program
"""

import argparse
import sys
from pathlib import Path

import keras_proxy_snn as kps
from keras_proxy_snn import datasets
from keras_proxy_snn.basics.pixel_range import in_range
from keras_proxy_snn.export import export, from_model, interpreter, load
from keras_proxy_snn.export.quantise import quantise
from keras_proxy_snn.saving.model_file import load_model


def network(name):
    if name in kps.PRESETS:
        return from_model(kps.build(name, weights="pretrained"))
    return load(name) if name.endswith(".kps") else from_model(load_model(name))


def array(declaration, rows):
    lines = ",\n".join("    {" + ", ".join(map(str, row)) + "}" for row in rows)
    return f"static const {declaration} = {{\n{lines}}};\n"


def images_header(program, images):
    """Text of images.h: images as the network takes them, and the interpreter's counts."""
    inputs = interpreter.prepare_images(program, images).reshape(len(images), -1)
    counts = interpreter.run(program, images).spike_counts
    return (
        "/* Written by prepare.py. */\n#include <stdint.h>\n\n"
        f"#define IMAGES {len(images)}\n\n"
        + array(f"uint8_t images[IMAGES][{inputs.shape[1]}]", inputs.tolist())
        + array(f"uint16_t expected[IMAGES][{counts.shape[1]}]", counts.tolist())
    )


def prepare(program, training, images, folder, class_names=None):
    """Write the three files; a float program is quantised on training images."""
    if not program.is_integer:
        program = quantise(program, training)
    options = {"class_names": class_names, "overwrite": True}
    export(program, folder / "net.c", images=images, **options)
    (folder / "images.h").write_text(images_header(program, images))
    return program


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", help="a preset's name, a .keras file or a .kps program")
    parser.add_argument("--images", type=int, default=10, help="number of test images")
    parser.add_argument("--dataset", help="data set (default: the set with images of this shape)")
    parser.add_argument("--output", default=".", type=Path, help="folder for the files")
    arguments = parser.parse_args()
    try:
        program = network(arguments.model)
        shape, classes = program.input_shape, program.shapes()[-1][0]
        fitting = datasets.name_by_shape(shape, classes, program.class_names)
        name = arguments.dataset or fitting
        if name is None:
            raise ValueError(f"give --dataset: no data set has images {shape} of {classes} classes")
        (training, _), (images, _) = datasets.load(name)
        names = datasets.class_names(name)
        # The data set has pixels from 0 to 1, the network those that it was trained with.
        training = in_range(training[:500], program.input_range)
        images = in_range(images[: arguments.images], program.input_range)
        prepare(program, training, images, arguments.output, names)
    except (ValueError, OSError) as error:
        parser.error(str(error))
    print(f"{arguments.output}: net.c, net.h, images.h ({len(images)} images)")


if __name__ == "__main__":
    sys.exit(main())
