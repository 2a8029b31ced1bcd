"""From a model or a NIR file to a `Program`, which holds no Keras."""
