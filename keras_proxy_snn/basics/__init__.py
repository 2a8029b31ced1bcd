"""Small helpers that many rooms use: checks, files, tables, types. They import no other room."""
