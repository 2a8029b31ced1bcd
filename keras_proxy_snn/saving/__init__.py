"""Weights and models in files, and the weights that come with the package."""
