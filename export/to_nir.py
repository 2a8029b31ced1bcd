"""Write a trained spiking network as .nir; `python export/to_nir.py --help`."""

import sys

from keras_proxy_snn.cli import commands

if __name__ == "__main__":
    commands(["export", "--format", "nir", *sys.argv[1:]])
