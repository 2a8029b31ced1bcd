"""One table of all that was tried to make this package wrong, from the committed reports."""

import json
import re

import long_runs
import stress
from _report import RESULTS, markdown

FUZZ = RESULTS.parents[1] / "fuzz" / "RESULTS.md"
ROW = re.compile(r"^\| [\w-]+ (?:\| [\d,]+ ){2}")


def documents(folder):
    return [json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))]


def trust_table(results=RESULTS, fuzz=FUZZ):
    """A row for each kind of trial: how many, and how many went wrong."""
    rows = [*_stressed(results / stress.TASK), *_verified(results / "verification")]
    rows += [_fuzzed(fuzz), _grown(results / long_runs.TASK)]
    return markdown(["what was tried", "how much", "went wrong", "how that was counted"], rows)


def verification_table(results=RESULTS):
    """A row for each simulator and form of number, of all reports of `verify`."""
    head = ["weights", "networks", "simulator", "numbers", "compared", "refused", "failed"]
    rows = [
        [document["weights"], document["done"], row, form]
        + [f"{cell[name]:,}" for name in ("compared", "refused", "failed", "counts", "differing")]
        for document in documents(results / "verification")
        for row, forms in document["cells"].items()
        for form, cell in forms.items()
    ]
    return markdown([*head, "counts", "differing"], rows)


def _stressed(folder):
    found = [stress.counts(document) for document in documents(folder)]
    total = {name: f"{sum(counts[name] for counts in found):,}" for name in found[0]}
    rule = "variables that differ from a run without a fault, files that are not whole"
    return [
        ["processes killed", total["kills"], total["lost"], rule],
        ["other faults: disk, permission, data", total["hardships"], total["unlike"], rule],
    ]


def _verified(folder):
    rows = []
    for document in documents(folder):
        cells = [cell for forms in document["cells"].values() for cell in forms.values()]
        counts, differing, failed = (
            sum(cell[name] for cell in cells) for name in ("counts", "differing", "failed")
        )
        tried = f"{document['done']:,} networks, {counts:,} counts"
        what = f"networks of {document['weights']} weights in {len(document['cells'])} simulators"
        rule = "counts that differ from NumPy's"
        if document["weights"] == "float":
            rule += ", by a rounding at a threshold"
        rows.append([what, tried, f"{differing:,} counts, {failed} errors", rule])
    return rows


def _fuzzed(path):
    table = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in path.read_text().splitlines()
        if ROW.match(line)
    ]
    inputs, failed = (sum(int(row[i].replace(",", "")) for row in table) for i in (1, 5))
    rule = "errors that are not documented, more than ten seconds, more than 1 GiB"
    readers = len({row[0] for row in table})
    return [f"damaged inputs for {readers} readers", f"{inputs:,}", failed, rule]


def _grown(folder):
    pairs = [pair for d in documents(folder) for pair in long_runs.of_spiking(d).values()]
    leaks = sum(long_runs.leaks(run, alone) for run, alone in pairs)
    tried = f"{len(pairs)} runs, {sum(run['steps'] for run, _ in pairs):,} steps"
    rule = "runs whose memory grows by more than the ANN's and 100 KiB per 1,000 steps, or whose "
    return ["training and prediction, 10,000 steps", tried, leaks, rule + "traces or files grow"]
