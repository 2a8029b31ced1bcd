"""Damaged and invented inputs for everything that reads; `python -m fuzz --help`."""
