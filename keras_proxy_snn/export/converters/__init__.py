"""Files from TensorFlow's converters, to check the package's own writers."""
