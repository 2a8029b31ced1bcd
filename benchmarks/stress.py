"""Kill and starve the commands, go on, and compare the end with a run that met no fault.

    python benchmarks/stress.py

Kills are SIGKILL: while a process starts, at a random moment, and in the midst of a write. Full
disk and read-only folder need the right to mount. A trial that is in the results is not run again,
so the command can be stopped and given again. Writes `benchmarks/results/stress/<label>.json`.
Exit status 1: something was lost.
"""

import random
import re
import shutil
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

import _kills
import _starve
from _child import LostError
from _opponents import FRAMEWORKS
from _report import add_again, caption, finish, markdown, parser, run_missing

TASK = "stress"
TRIALS = {
    **{f"kill train, {name}": (_kills.train, name) for name in FRAMEWORKS},
    **{f"kill fit, {name}": (_kills.fit, name) for name in FRAMEWORKS},
    "kill paper, torch": (_kills.paper, "torch"),
    **{
        f"kill export {name.split('.')[1]}, torch": (partial(_kills.export, name=name), "torch")
        for name in ("net.onnx", "net.tflite", "net.c")
    },
    **{f"starve {kind}, torch": (trial, "torch") for kind, trial in _starve.KINDS.items()},
}


def main(argv=None):
    options = parser(__doc__)
    options.add_argument("--only", nargs="+", choices=TRIALS, default=list(TRIALS), metavar="TRIAL")
    options.add_argument("--seed", type=int, default=1, help="of the moments of the kills")
    add_again(options)
    arguments = options.parse_args(argv)
    trials = {name: partial(run, name, arguments.seed) for name in arguments.only}
    document = run_missing(trials, "trials", arguments, TASK)
    finish(document, table, arguments, TASK)
    return int(any("failed" in trial for trial in document["trials"].values()))


def run(name, seed):
    """Result of a trial, in a folder of its own."""
    trial, backend = TRIALS[name]
    folder = Path(tempfile.mkdtemp(prefix="stress-"))
    start = time.monotonic()
    try:
        result = trial(backend, folder, random.Random(f"{name} {seed}"))
    except LostError as lost:
        result = {"failed": f"**failed**: {lost}"}
    shutil.rmtree(folder, ignore_errors=True)
    if "said" in result:
        result["said"] = {kind: _plain(said, folder) for kind, said in result["said"].items()}
    return {**result, "seconds": round(time.monotonic() - start)}


def _plain(said, folder):
    """A line without names that differ from run to run."""
    said = said.replace(f"{folder}/", "").split(" (file write failed")[0]
    temporary = re.escape(f"{tempfile.gettempdir()}/tmp")
    return re.sub(rf"({temporary}\w+/|(?<=\.draft-)\w+-\d+-\d+-)", "", said)


def counts(document):
    """Kills and other faults, and the trials of each that lost something."""
    trials = document["trials"]
    failed = [name for name, trial in trials.items() if "failed" in trial]
    return {
        "kills": sum(trial.get("kills", 0) for trial in trials.values()),
        "lost": sum(name.startswith("kill ") for name in failed),
        "hardships": sum(len(trial.get("said", ())) for trial in trials.values()),
        "unlike": sum(name.startswith("starve ") for name in failed),
    }


def table(document):
    """Markdown: the kills, and the hardships with what the command said."""
    trials = {n: t for n, t in document["trials"].items() if n in TRIALS}
    head = ["what", "backend", "kills", "in the midst of a write", "epochs run again", "at the end"]
    kills, hard = [], []
    for name, trial in trials.items():
        what, backend = name.split(" ", 1)[1].split(", ")
        if "failed" in trial:
            (kills if name.startswith("kill") else hard).append([what, backend, trial["failed"]])
        elif "kills" in trial:
            facts = [trial[key] for key in ("kills", "in_a_write", "again", "outcome")]
            kills.append([f"`{what}`", FRAMEWORKS[backend], *facts])
        else:
            for kind, said in trial["said"].items():
                hard.append([what, kind, f"`{said}`", trial["outcome"]])
    parts = [caption(document), markdown(head, kills)]
    parts.append(markdown(["what", "fault", "said", "once it is over"], hard))
    return "\n\n".join(parts)


if __name__ == "__main__":
    sys.exit(main())
