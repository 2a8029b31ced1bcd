"""Callbacks for `fit`: warnings of a collapse, and TensorBoard."""
