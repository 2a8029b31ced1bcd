"""Export: a small compiler from a trained model to files that spike exactly alike."""

from .program import Program, from_model, load

__all__ = ["Program", "from_model", "load"]
