"""From a Keras CNN to the nodes of a spiking network that holds the same layers."""
