"""Files by way of the backends' own converters, to compare the package's own files with."""
