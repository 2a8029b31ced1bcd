"""`write`: write an integer program as C99."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ...basics.checks import check_choice
from ...basics.files import replacing
from ...basics.labels import checked_names
from ..formats import FORMATS, Memory
from ..program import Program
from ..quantise._bounds import INT32, largest_sum, threshold
from ..validity import check_bytes
from ._header import header, with_facts
from ._names import prefix_of
from ._plan import plan
from ._source import source

__all__ = ["FORMS", "add_facts", "memory", "node_count", "refuse", "write"]

FORMS = FORMATS["c"].forms


def write(
    program: Program,
    path: str | Path,
    *,
    form: str = "event_driven",
    class_names: Sequence[str] | None = None,
) -> None:
    """Write an integer program as C99: a source, and the header beside it.

    `net.c` and `net.h` need only `<stdint.h>` and `<string.h>`. They use no heap, no floating point
    and no recursion. Weights are constant tables, which stay in flash. All memory that changes is
    in the struct `net_state`. `net_reset` starts a new image, `net_step` makes one time step,
    `net_run` makes all time steps, and `net_class` gives the class. Macros in the header give
    shapes, T, the scale of pixels, the memory and the names of the classes.

    Each spike adds rows of weights to the neurons that read it, so the time is proportional to the
    number of spikes. The only multiplications are pixels times weights of the first layer, once per
    image.

    Potentials have 16 bits if the sums of the weights prove for every image that they fit;
    otherwise they have 32 bits. 8 bits would not do, because one weight can fill them. The current
    of the first layer is cut to the range from 0 to the threshold; this changes no spikes.

    Args:
        program: An integer network, see `keras_proxy_snn.export.quantise.quantise`.
        path: The source to write, `<name>.c`. Names in the files begin with `<name>_`.
        form: `"event_driven"`, the only form.
        class_names: A name per class, for a macro. By default the names in the metadata, or numbers
            if the metadata have no names.

    Raises:
        ValueError: If an argument is out of range, or C cannot express the program.

    Example:

    >>> import tempfile, pathlib
    >>> import numpy as np
    >>> from keras_proxy_snn.export import Program, c
    >>> from keras_proxy_snn.export.program import Dense, Flatten
    >>> dense = Dense("readout", np.int8([[64], [-32]]), None, 128, "zero")
    >>> program = Program((Flatten("flatten"), dense), (1, 2, 1), 4, "int8")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     c.write(program, f"{folder}/net.c")
    ...     text = pathlib.Path(f"{folder}/net.h").read_text()
    >>> print(*(line for line in text.splitlines() if line.startswith("int ")), sep=chr(10))
    int net_step(net_state *s);
    int net_class(const net_state *s);
    """
    path = Path(path)
    refuse(program, form)
    if path.suffix != ".c":
        raise ValueError(f"A C file's name must end in '.c'. Received: {path.name!r}.")
    classes = program.shapes()[-1][0]
    if class_names is None:
        class_names = program.class_names or list(map(str, range(classes)))
    names = list(checked_names(class_names, classes))
    network = plan(program, prefix_of(path.stem))
    text, tables = source(network, path.with_suffix(".h").name)
    for target, content in ((path.with_suffix(".h"), header(network, names, tables)), (path, text)):
        with replacing(target) as draft:
            draft.write_text(content, "utf-8")


def add_facts(path: str | Path, facts: Mapping[str, Any]) -> None:
    """Add facts to the first comment of a C file's header, or replace them; the code stays.

    Args:
        path: A source that `write` wrote, with its header beside it.
        facts: Values for JSON, by name.

    Example:

    >>> import tempfile, pathlib
    >>> import numpy as np
    >>> from keras_proxy_snn.export import Program, c
    >>> from keras_proxy_snn.export.program import Dense, Flatten
    >>> dense = Dense("readout", np.int8([[64], [-32]]), None, 128, "zero")
    >>> program = Program((Flatten("flatten"), dense), (1, 2, 1), 4, "int8")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     c.write(program, f"{folder}/net.c")
    ...     c.add_facts(f"{folder}/net.c", {"accuracy": 0.75})
    ...     " * accuracy: 0.75" in pathlib.Path(f"{folder}/net.h").read_text()
    True
    """
    file = Path(path).with_suffix(".h")
    text = with_facts(file.read_text("utf-8"), facts)
    with replacing(file) as draft:
        draft.write_text(text, "utf-8")


def refuse(program: Program, form: str = "event_driven") -> None:
    """Raise an error if a C file cannot express a program.

    Args:
        program: The network.
        form: As in `write`.

    Raises:
        ValueError: If so; the error states the reason.

    Example:

    >>> import numpy as np
    >>> from keras_proxy_snn.export import Program, c
    >>> from keras_proxy_snn.export.program import Dense, Flatten
    >>> dense = Dense("readout", np.float32([[0.5], [0.5]]), None, 1.0, "zero")
    >>> c.refuse(Program((Flatten("flatten"), dense), (1, 2, 1), time_steps=4))
    Traceback (most recent call last):
    ValueError: A C file needs an integer network; ... Received: 'float32'.
    """
    check_choice("form", form, FORMS)
    if not program.is_integer:
        raise ValueError(
            "A C file needs an integer network; `quantise` makes an integer network. Received: "
            f"{program.number_format!r}."
        )
    check_bytes(program)
    for layer in program.neurons:
        theta, v_0 = threshold(layer), np.asarray(layer.v_0, "float64")
        whole = (theta == np.rint(theta)).all() and (v_0 == np.rint(v_0)).all()
        if not whole or not ((theta >= 1) & (v_0 >= 0) & (v_0 < theta)).all():
            raise ValueError(
                "Thresholds must be positive integers, and `v_0` must be an integer from 0 to "
                f"below the threshold. Received: {layer.v_threshold!r} and {layer.v_0!r} in layer "
                f"{layer.name!r}."
            )
    if (largest := largest_sum(program)) > INT32:
        raise ValueError(
            "Sums must fit 32 bits; reduce `input_scale` or `bits`. Received: a network whose "
            f"sums reach {largest:,}."
        )


def memory(path: str | Path) -> Memory:
    """Flash for tables and RAM for the state, as the header of a C file tells them.

    Args:
        path: A file that `write` wrote, with its header beside it.

    Example:

    >>> import tempfile
    >>> import numpy as np
    >>> from keras_proxy_snn.export import Program, c
    >>> from keras_proxy_snn.export.program import Dense, Flatten
    >>> dense = Dense("readout", np.int8([[64], [-32]]), None, 128, "zero")
    >>> program = Program((Flatten("flatten"), dense), (1, 2, 1), 4, "int8")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     c.write(program, f"{folder}/net.c")
    ...     c.memory(f"{folder}/net.c").ram > 0
    True
    """
    text = Path(path).with_suffix(".h").read_text("utf-8")
    prefix = prefix_of(Path(path).stem).upper()
    sizes = dict(re.findall(rf"^#define {prefix}_(STATE|TABLE)_BYTES (\d+)", text, re.MULTILINE))
    return Memory(flash=int(sizes["TABLE"]), ram=int(sizes["STATE"]))


def node_count(path: str | Path) -> int:
    """Number of functions in a C file, with the public functions.

    Args:
        path: A file that `write` wrote.
    """
    return len(
        re.findall(r"^(?:static )?\w+ \w+\(.*\)$", Path(path).read_text("utf-8"), re.MULTILINE)
    )
