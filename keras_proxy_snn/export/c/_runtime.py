"""Run C files: compile them with a small main program on this machine."""

import os
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ...basics.types import Images
from ..interpreter import prepare_images
from ..program import Program
from ._names import prefix_of
from ._parts import block

__all__ = ["compiler", "run"]

_FLAGS = ("-std=c99", "-O2")

_MAIN = """
#include <stdio.h>
#include "$header"

static $p_state state;

int main(void)
{
    static uint8_t image[$P_IMAGE_SIZE];
    int k;
    while (fread(image, 1, sizeof image, stdin) == sizeof image) {
        $p_run(&state, image);
        printf("%d", $p_class(&state));
        for (k = 0; k < $P_CLASSES; ++k) printf(" %lu", (unsigned long)state.counts[k]);
        $potentials
        printf("\\n");
    }
    return 0;
}
"""


def compiler() -> list[str]:
    """Command of the machine's C compiler: the variable `CC`, or else cc, gcc or clang.

    Raises:
        FileNotFoundError: If the machine has no C compiler.
    """
    if os.environ.get("CC"):
        return shlex.split(os.environ["CC"])
    for name in ("cc", "gcc", "clang"):
        if shutil.which(name):
            return [name]
    raise FileNotFoundError(
        "The check of a C file needs a C compiler. Received: no cc, gcc or clang on the PATH, and "
        "no CC. Install a compiler (Debian: apt-get install gcc), or write the file without a "
        "check: `verify=False`, or --no-check on the command line."
    )


def run(
    path: str | Path, program: Program, images: Images, *, flags: Sequence[str] = _FLAGS
) -> np.ndarray:
    """Compile a file and run it on this machine.

    Args:
        path: A file of the program, from `write`.
        program: The network in the file; it gives T and the scale of images.
        images: `(batch, height, width, channels)`, pixels in `program.input_range`.
        flags: Flags for the compiler.

    Returns:
        Spike counts `(batch, classes)`, integers; with a readout by potential `Program.scores`.

    Raises:
        ValueError: If images have the wrong shape, are not finite, or are outside the input range.
        FileNotFoundError: If there is no compiler.
        RuntimeError: If the file cannot be compiled or run, or gives a class that does not have the
            highest score.

    Example:

    >>> import shutil, tempfile
    >>> import numpy as np
    >>> from keras_proxy_snn.export import Program, c
    >>> from keras_proxy_snn.export.program import Dense, Flatten
    >>> dense = Dense("readout", np.int8([[64], [64]]), None, 128, "zero")
    >>> program = Program((Flatten("flatten"), dense), (1, 2, 1), 4, "int8")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     c.write(program, f"{folder}/net.c")
    ...     if shutil.which("cc"):
    ...         assert c.run(f"{folder}/net.c", program, np.ones((1, 1, 2, 1))).tolist() == [[4]]
    """
    path = Path(path).resolve()
    prepared = prepare_images(program, images)
    most = round(program.largest_input)
    if len(prepared) and (prepared.min() < 0 or prepared.max() > most):
        raise ValueError(
            f"Images for a C file must have pixels in [0, {program.input_range[1]:g}]. Received: "
            f"from {np.min(images):g} to {np.max(images):g}."
        )
    potential = program.readout == "potential"
    with tempfile.TemporaryDirectory() as folder:
        _compile(path, potential, folder, flags)
        pixels = prepared.astype("uint8").tobytes()
        done = subprocess.run([f"{folder}/run"], input=pixels, capture_output=True)
    if done.returncode:
        raise RuntimeError(
            f"The program of {path.name} must run to its end on this machine. Received: exit "
            f"status {done.returncode}. {done.stderr.decode()}".rstrip()
        )
    classes = program.shapes()[-1][0]
    rows = np.array(done.stdout.split(), "int64").reshape(len(prepared), -1)
    scores = program.scores(rows[:, 1 : classes + 1], rows[:, classes + 1 :])
    told = np.take_along_axis(scores, rows[:, :1], axis=1)[:, 0]
    if not np.allclose(told, scores.max(axis=1, initial=told.min(initial=0)), rtol=0, atol=1e-9):
        raise RuntimeError(f"{path} printed a class that does not have the highest score.")
    return scores


def _compile(path: Path, potential: bool, folder: str, flags: Sequence[str]) -> None:
    prefix = prefix_of(path.stem)
    names = {"p": prefix, "P": prefix.upper()}
    potentials = []
    if potential:
        each = f'printf(" %ld", (long){prefix}_potential(&state, k));'
        potentials = [f"for (k = 0; k < {prefix.upper()}_CLASSES; ++k) {each}"]
    main = block(_MAIN, header=path.with_suffix(".h").name, potentials=potentials, **names)
    sources = ["-x", "c", "-", "-x", "none", str(path)]  # the program around the file is typed in
    command = [*compiler(), *flags, f"-I{path.parent}", *sources, "-o", f"{folder}/run"]
    text = "\n".join([*main, ""])
    # A header of the same name in the folder of this process would be taken before this file's.
    done = subprocess.run(command, input=text, capture_output=True, encoding="utf-8", cwd=folder)
    if done.returncode:
        raise RuntimeError(f"{path} cannot be compiled: {' '.join(command)}\n{done.stderr[:2000]}")
