"""Write a trained spiking network as C99; `python export/to_c.py --help`."""

import sys

from keras_proxy_snn.cli._export import main

if __name__ == "__main__":
    sys.exit(main("c"))
