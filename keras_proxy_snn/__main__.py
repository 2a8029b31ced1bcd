"""The command line: `keras-proxy-snn --help`, or `python -m keras_proxy_snn --help`."""

import importlib.util
import sys

__all__ = ["main"]


def main() -> int:
    """Run the command line; the package itself needs no library for one.

    Returns:
        2 if that library is missing. Otherwise the process ends with the command's exit status.
    """
    if importlib.util.find_spec("click") is None:
        print(
            'error: the command line needs click. Try: pip install "keras-proxy-snn[cli]"',
            file=sys.stderr,
        )
        return 2
    from .cli import commands

    commands()
    return 0


if __name__ == "__main__":
    sys.exit(main())
