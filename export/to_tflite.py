"""Write a trained spiking network as .tflite; `python export/to_tflite.py --help`."""

import sys

from keras_proxy_snn.cli import commands

if __name__ == "__main__":
    commands(["export", "--format", "litert", *sys.argv[1:]])
