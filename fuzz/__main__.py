"""`python -m fuzz TARGET --inputs N --seed S`: damaged inputs for one reader.

An input fails if the reader raises an undocumented error, takes longer than ten seconds, or needs
more than 1 GiB. It is written to fuzz/corpus/TARGET/, and the tests read it in every later run.
`--note` puts the numbers of the run into fuzz/RESULTS.md.
"""

import argparse
import sys

from . import running
from .targets import TARGETS


def main():
    parser = argparse.ArgumentParser(
        prog="python -m fuzz",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("target", choices=TARGETS)
    parser.add_argument("--inputs", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--note", action="store_true", help="into fuzz/RESULTS.md")
    own = parser.parse_args()
    outcome = running.run(own.target, own.inputs, own.seed, keep=True)
    print(running.line(outcome))
    for failure in outcome.failures:
        print(failure)
    if own.note:
        running.note(outcome)
    return int(bool(outcome.failures))


if __name__ == "__main__":
    sys.exit(main())
