"""Map a Keras CNN to the stages of a spiking network that shares its layers."""
