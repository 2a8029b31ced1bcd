"""The integrate-and-fire neuron: its equations, and kernels that compute the same bits faster."""
