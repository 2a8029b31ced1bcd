"""Running files in TensorFlow Lite Micro, as a microcontroller does."""
import re, subprocess, sys
from pathlib import Path
from typing import Any
import numpy as np
from ..program import Program
from ._flatbuffer import parse, require
from ._runtime import file_images, spike_counts

_RUNTIME = "tflite_micro.python.tflite_micro.runtime"

class Micro:
    def __init__(self, path, arena_size):
        content = Path(path).read_bytes()
        module = require(_RUNTIME)
        self._interpreter = module.Interpreter.from_bytes(content, arena_size=arena_size)
        graph = parse(content).subgraphs[0]
        self._in, self._out = ([graph.tensors[i].name.decode() for i in x] for x in (graph.inputs, graph.outputs))
        self.inputs = {}
        for i, name in enumerate(self._in):
            d = self._interpreter.get_input_details(i)
            self.inputs[name] = tuple(int(n) for n in d["shape"]), d["dtype"]
    def __call__(self, feed):
        for name, value in feed.items():
            self._interpreter.set_input(value, self._in.index(name))
        self._interpreter.invoke()
        return {name: self._interpreter.get_output(i) for i, name in enumerate(self._out)}

def run_micro(path, program, images, *, arena_size=1 << 24):
    return spike_counts(Micro(path, arena_size), file_images(program, images), program)

def arena_bytes(path): ...
