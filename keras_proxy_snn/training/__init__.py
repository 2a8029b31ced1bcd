"""Proxy learning: the gradient, the train step of each backend, losses and metrics."""
