"""Write a trained spiking network as C99; `python export/to_c.py --help`."""

import sys

from keras_proxy_snn.cli import commands

if __name__ == "__main__":
    commands(["export", "--format", "c", *sys.argv[1:]])
