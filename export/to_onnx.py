"""Write a trained spiking network as .onnx; `python export/to_onnx.py --help`."""

import sys

from keras_proxy_snn.cli import commands

if __name__ == "__main__":
    commands(["export", "--format", "onnx", *sys.argv[1:]])
