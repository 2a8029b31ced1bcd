"""Verification: run the same random networks on everything that can run them, and compare.

`networks.draw` makes a network from a seed, as a `Program`. `oracle.run` computes the scores that
it must give. `models` builds it as a `ProxyModel` and simulates it on a backend. `files` exports it
and runs each file in its runtime. `worker` does one of these two in a process of its own, and
compares. `runner.verify` starts the workers and adds up their records in a `Report`.
"""
