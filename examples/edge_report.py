"""Edge report: one trained network in every file format, form and runtime, side by side.

    python examples/edge_report.py digits.keras --output report.md

`keras-proxy-snn bench digits.keras --formats` prints the same; this script can also keep the report
and the files. It takes some minutes. Exit status: 0 for success; 1 if spike counts differ that must
be equal; 2 for bad input.
"""

import argparse
import shlex
import sys
from pathlib import Path

import click

from keras_proxy_snn import datasets
from keras_proxy_snn.cli import _edge_report
from keras_proxy_snn.export.edge_report import RUNTIMES


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", help="a .keras file of a ProxyModel, or a preset")
    parser.add_argument(
        "--time-steps", type=int, help="number T of time steps (default: the model's)"
    )
    parser.add_argument(
        "--images", type=int, default=1000, help="largest number of test images (default: 1000)"
    )
    parser.add_argument(
        "--dataset",
        dest="calibration",
        choices=datasets.NAMES,
        help="data set (default: the set with images of this shape)",
    )
    parser.add_argument("--formats", nargs="+", choices=RUNTIMES, default=list(RUNTIMES))
    parser.add_argument("--output", type=Path, help="Markdown file to write")
    parser.add_argument("--json", dest="json_output", type=Path, help="JSON file for the numbers")
    parser.add_argument("--files", type=Path, help="existing folder that keeps the exported files")
    parser.add_argument("--force", action="store_true", help="replace existing files")
    words = [Path(a).name if Path(a).is_absolute() else a for a in sys.argv[1:]]
    facts = {"command": f"`python examples/edge_report.py {shlex.join(words)}`"}
    try:
        text, report = _edge_report.run(facts=facts, **vars(parser.parse_args()))
    except (click.ClickException, ValueError, OSError, ImportError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(text)
    return int(report.mismatches > 0)


if __name__ == "__main__":
    sys.exit(main())
