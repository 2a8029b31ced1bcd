"""From a trained Keras CNN to a spiking network: mapping, thresholds, biases, training in steps."""
