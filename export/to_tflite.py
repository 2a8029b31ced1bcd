"""Write a trained spiking network as .tflite; `python export/to_tflite.py --help`."""

import sys

from keras_proxy_snn.cli._export import main

if __name__ == "__main__":
    sys.exit(main("litert"))
