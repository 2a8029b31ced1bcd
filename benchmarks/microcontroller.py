"""Flash, RAM and instructions of a network on microcontrollers: plain C and TFLite-Micro.

    KERAS_BACKEND=tensorflow python benchmarks/microcontroller.py digits

The C file runs bare on a Cortex-M3 and M4 in QEMU (`examples/microcontroller/bare_metal`), where
its counts are compared. TensorFlow Lite Micro cannot be compiled here, so its instructions are
Valgrind's on this machine's processor, in its Python package, and those of the C file are counted
likewise beside them. Writes `benchmarks/results/microcontroller/NETWORK.json`.

Needs make, arm-none-eabi-gcc, qemu-system-arm, valgrind, TensorFlow and tflite-micro.
"""

import re
import shutil
import subprocess
import sys
import tempfile
from importlib import metadata
from pathlib import Path

from _report import RESULTS, caption, circumstances, markdown, parser, write_json

import keras_proxy_snn as kps
from keras_proxy_snn import datasets
from keras_proxy_snn.export import c, from_model, litert, load
from keras_proxy_snn.export.edge_report import write_twin
from keras_proxy_snn.export.quantise import quantise

BARE_METAL = Path(__file__).resolve().parent.parent / "examples/microcontroller/bare_metal"
CPUS = ("cortex-m3", "cortex-m4")
# The difference of two lengths of run is what one run takes, without start-up.
RUNS = (1, 3)
TOOLS = ("arm-none-eabi-gcc", "qemu-system-arm", "valgrind")

MICRO = """
import sys
from pathlib import Path
from tflite_micro.python.tflite_micro import runtime
network = runtime.Interpreter.from_bytes(Path(sys.argv[1]).read_bytes(), arena_size=1 << 24)
for _ in range(int(sys.argv[2])):
    network.invoke()
"""

HOST = """
#include <stdlib.h>
#include "images.h"
#include "net.h"
static net_state state;
int main(int count, char **arguments)
{
    int k, runs = count > 1 ? atoi(arguments[1]) : 0;
    for (k = 0; k < runs * IMAGES; ++k) net_run(&state, images[k % IMAGES]);
    return 0;
}
"""


def instructions(*command):
    """Valgrind's instruction count of one inference, from two runs of different length."""
    counts = []
    for runs in RUNS:
        tool = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", *command]
        done = subprocess.run([*map(str, tool), str(runs)], capture_output=True, text=True)
        counts.append(int(re.search(r"Collected : (\d+)", done.stderr)[1]))
    return (counts[1] - counts[0]) / (RUNS[1] - RUNS[0])


def on_boards(folder):
    """What the bare-metal program prints on each processor."""
    rows = {}
    for cpu in CPUS:
        command = ["make", "run", f"CPU={cpu}", f"PYTHON={sys.executable}"]
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, stdin=subprocess.DEVNULL
        )
        text = done.stdout + done.stderr
        if done.returncode:
            raise RuntimeError(text)
        facts = dict(re.findall(r"(flash|RAM|stack|instructions per image)(?: bytes)? (\d+)", text))
        rows[cpu] = {name: int(number) for name, number in facts.items()}
    return rows


def measure_c(program, training, images, names, folder):
    """The C file: on boards and on this machine."""
    sys.path.insert(0, str(BARE_METAL))
    prepare = __import__("prepare")
    shutil.copytree(BARE_METAL, folder, ignore=shutil.ignore_patterns("net*", "images.h", "*.elf"))
    prepare.prepare(program, training, images, folder, names)
    (folder / "host.c").write_text(HOST)
    command = [*c.compiler(), "-O2", "host.c", "net.c", "-o", "host"]
    subprocess.run(command, cwd=folder, check=True)
    host = instructions(folder / "host") / len(images)
    return {"boards": on_boards(folder), "host": host}


def measure_micro(path):
    """A file in TensorFlow Lite Micro, on this machine."""
    script = path.with_name("micro.py")
    script.write_text(MICRO)
    return {
        "file": path.stat().st_size,
        "arena": litert.arena_bytes(path),
        "host": instructions(sys.executable, script, path),
    }


def tool_versions():
    """Versions of what compiles and counts, by name."""
    found = {"tflite-micro": metadata.version("tflite-micro")}
    for name in TOOLS:
        first = subprocess.run([name, "--version"], capture_output=True, text=True).stdout
        found[name] = re.search(r"\d+\.\d+(\.\d+)?", first.partition("\n")[0])[0]
    return found


def measure(name, count, cache):
    data = datasets.name_by_shape(kps.PRESETS[name].input_shape)
    (training, _), (images, _) = datasets.load(data)
    model = kps.build(name, weights="pretrained")
    program = from_model(model, proxy_activation=kps.PRESETS[name].proxy_activation)
    saved = None if cache is None else cache / f"{name}.kps"
    if saved is not None and saved.exists():
        integer = load(saved)
    else:
        integer = quantise(program, training[:500])
        if saved is not None:
            integer.save(saved)
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        names = datasets.class_names(data)
        document = {"network": name, "spec": program.metadata["spec"], "images": count}
        document["time_steps"] = program.time_steps
        document |= c.activity(integer, images[:count])._asdict()
        document["c"] = measure_c(integer, training, images[:count], names, folder / "bare_metal")
        litert.write(integer, folder / "net.tflite")
        document["litert"] = measure_micro(folder / "net.tflite")
        write_twin(program, training[:200], "int8", folder / "twin.tflite")
        document["twin"] = measure_micro(folder / "twin.tflite")
    return document


def kib(size):
    return f"{size / 1024:.1f}"


def millions(count):
    return f"{count / 1e6:.2f}"


def table(document):
    """Markdown of a network's results."""
    made, twin = document["c"], document["twin"]
    rows = []
    m3, m4 = (made["boards"][cpu] for cpu in CPUS)
    found = [millions(board["instructions per image"]) for board in (m3, m4)]
    memory = f"{kib(m3['RAM'])} + {kib(m3['stack'])}"
    rows.append(["C, event-driven", kib(m3["flash"]), memory, *found, millions(made["host"])])
    for label, key in (("integer network, TFLite-Micro", "litert"), ("ANN twin, int8", "twin")):
        entry = document[key]
        cells = [f"{kib(entry['file'])} and runtime", kib(entry["arena"]), "", ""]
        rows.append([label, *cells, millions(entry["host"])])
    head = ["", "flash, KiB", "RAM, KiB", "Cortex-M3", "Cortex-M4", "this machine, Valgrind"]
    aim = document["multiply_adds"] * document["time_steps"] / 2
    steps = document["time_steps"]
    per = m3["instructions per image"] / document["additions"]
    return (
        f"{caption(document)}\n\n`{document['network']}`, `{document['spec']}`, T = {steps}, "
        f"{document['images']} test images; millions of instructions per image.\n\n"
        f"{markdown(head, rows)}\n\n"
        f"On average an image makes {document['spikes']:,.0f} spikes and "
        f"{document['additions']:,.0f} additions of weights; the Cortex-M3 takes {per:.2f} "
        f"instructions per addition, all else included. The ANN has "
        f"{document['multiply_adds']:,} multiply-adds, those with padding not "
        f"counted; times T / 2 they are {millions(aim)} "
        f"million, of which the C file takes {m3['instructions per image'] / aim:.2f}. On this "
        f"machine it takes {made['host'] / twin['host']:.2f} of the ANN twin's instructions, and "
        f"{made['host'] / document['litert']['host']:.3f} of the integer network's in TFLite-Micro."
    )


def main():
    options = parser(__doc__)
    options.add_argument("networks", nargs="+", help="presets with pretrained weights")
    options.add_argument("--images", type=int, default=20, help="number of test images")
    options.add_argument("--cache", type=Path, help="folder that keeps the quantised networks")
    options.add_argument("--results", type=Path, default=RESULTS, help="folder of the results")
    arguments = options.parse_args()
    facts = circumstances("microcontroller", None)
    facts["versions"] |= tool_versions()
    for name in arguments.networks:
        document = facts | measure(name, arguments.images, arguments.cache)
        path = arguments.results / "microcontroller" / f"{name}.json"
        write_json(document, path)
        print(table(document))


if __name__ == "__main__":
    main()
