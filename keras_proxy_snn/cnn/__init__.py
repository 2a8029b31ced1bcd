"""The proxy: from an architecture string to a plain Keras CNN, and its layers as a graph."""
