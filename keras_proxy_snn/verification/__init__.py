"""Verification: the same random networks through everything that can run them.

`networks.draw` makes a network from a seed, as a `Program`. `oracle.run` says what its scores must
be. `models` builds it as a `ProxyModel` and simulates it on a backend; `files` runs what the
exporter writes of it in every runtime. `worker` does one of both in a process of its own and
compares; `runner.verify` starts the workers and adds up their records in a `Report`.
"""
