"""The package's version, read by the build and by `keras_proxy_snn.__version__`."""

__version__ = "0.1.0"
