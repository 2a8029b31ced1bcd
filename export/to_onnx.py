"""Write a trained spiking network as .onnx; `python export/to_onnx.py --help`."""

import sys

from keras_proxy_snn.cli._export import main

if __name__ == "__main__":
    sys.exit(main("onnx"))
