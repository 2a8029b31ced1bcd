"""Write the sections of README.md and benchmarks/README.md, and the figures, from JSON files alone.

    python benchmarks/tables.py

A section is the text between `<!-- begin NAME -->` and `<!-- end NAME -->`. It is a table of
`_results.py` or `_trust.py`, or has one table per file in `benchmarks/results/NAME/`. No number is
typed by hand.
"""

import importlib
import json
import re
from pathlib import Path

import _draw
import _results
import _trust
from _report import RESULTS, parser

from keras_proxy_snn.basics.files import replacing

README = Path(__file__).with_name("README.md")
PAGES = (README, README.parent.parent / "README.md")
OF_SEVERAL = {
    "results": _results.results_table,
    "accuracy": _results.accuracy_table,
    "trust": _trust.trust_table,
    "verification": _trust.verification_table,
}
DRAWINGS = {"train_step": _draw.draw_train_step, "memory_in_t": _draw.draw_memory_in_t}


def has_figure(name, document):
    """Whether there is a figure against T: of a benchmark that has one, with more than one T."""
    return name in DRAWINGS and len({cell["time_steps"] for cell in document["cells"]}) > 1


def section(name, results=RESULTS):
    """Markdown of all results of a benchmark."""
    if name in OF_SEVERAL:
        return OF_SEVERAL[name](results)
    files = sorted((results / name).glob("*.json"))
    parts = []
    for file in files:
        document = json.loads(file.read_text())
        parts.append(importlib.import_module(name).table(document))
        if has_figure(name, document):
            parts.append(f"![{name} against T](results/{name}/{file.stem}.png)")
    return "\n\n".join(parts) or "Not measured yet."


def render(text, results=RESULTS):
    """The text with every section made from the results."""

    def fill(match):
        name = match[1]
        return f"<!-- begin {name} -->\n\n{section(name, results)}\n\n<!-- end {name} -->"

    return re.sub(r"<!-- begin (\w+) -->.*?<!-- end \1 -->", fill, text, flags=re.DOTALL)


def draw(results=RESULTS):
    """Draw the figures beside their JSON files."""
    for name, drawing in DRAWINGS.items():
        for file in sorted((results / name).glob("*.json")):
            document = json.loads(file.read_text())
            if has_figure(name, document):
                with replacing(file.with_suffix(".png")) as draft:
                    drawing(document).savefig(draft)


def main(argv=None):
    parser(__doc__).parse_args(argv)
    draw()
    for page in PAGES:
        with replacing(page) as draft:
            draft.write_text(render(page.read_text()))


if __name__ == "__main__":
    main()
