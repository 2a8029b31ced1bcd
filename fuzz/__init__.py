"""Damaged and invented inputs for every reader of files; see `python -m fuzz --help`."""
