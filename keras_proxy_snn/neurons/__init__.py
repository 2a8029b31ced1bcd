"""The integrate-and-fire neuron: its equations, and faster kernels with bit-identical results."""
