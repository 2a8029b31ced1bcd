"""The integrate-and-fire neuron: its equations, and faster kernels with bit-identical results.

Each equation stands once per machine, because each machine has a language of its own:

=================================  =================================================================
`neurons/equations.py`             `keras.ops` on every backend; the definition, and the training
`neurons/fastest.py`               PyTorch: all steps in place, so that potentials stay in the cache
`neurons/cpu_kernel.py`            Numba: all steps in one pass, for PyTorch on processors
`neurons/triton.py`, `pallas.py`   GPUs of PyTorch and JAX: all steps in one kernel
`export/interpreter.py`            NumPy, in float32 or integers; what a file must do
`export/quantise/_simulation.py`   NumPy, for the neurons of a constant current alone, many at once
`export/onnx/_network.py`          operations of ONNX
`export/litert/_neurons.py`        operations of LiteRT
`export/c/_firing.py`              C99; `export/c/_activity.py` is its count of operations in NumPy
`export/nir/executor.py`           NIR's own neuron, which is another; `export/nir/limits.py` says
                                   which networks it can express
`verification/nir_peers.py`        PyTorch, for nirtorch, which runs NIR files and has no IF neuron
`verification/oracle.py`           float64 and loops; shares nothing with the rows above
=================================  =================================================================
"""
