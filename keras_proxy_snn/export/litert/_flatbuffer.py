"""A builder of `.tflite` files, over the flatbuffer schema in the LiteRT package."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from ...basics.archives import UNREADABLE
from ...basics.checks import require

__all__ = ["GraphBuilder", "ModelBuilder", "Tensor", "parse", "root"]

#: Integer types of values: real = 1.0 * (integer - 0). int32 is for shapes and axes.
_QUANTISED = ("int8", "int16", "int64")


@dataclass(frozen=True)
class Tensor:
    """A tensor of a graph.

    Attributes:
        index: Position in the graph's list of tensors.
        shape: Shape, with the batch size of the file.
        dtype: NumPy's name of the type, or `"resource"`.
    """

    index: int
    shape: tuple[int, ...]
    dtype: str


def root(content: bytes) -> Any:
    """The schema's `Model` object, which reads from the bytes of a file what it is asked for.

    Raises:
        ValueError: If the bytes are not a `.tflite` file.
    """
    if content[4:8] != b"TFL3":
        raise ValueError("A .tflite file is expected: its bytes 4 to 8 must be 'TFL3'.")
    return require("ai_edge_litert.schema_py_generated").Model.GetRootAs(content)


def parse(content: bytes) -> Any:
    """Read the bytes of a file as the schema's `ModelT` object, whole.

    Raises:
        ValueError: If the bytes are not a `.tflite` file.
    """
    model = root(content)
    try:
        return require("ai_edge_litert.schema_py_generated").ModelT.InitFromObj(model)
    except UNREADABLE as error:
        raise ValueError(
            f"A .tflite file is expected. Received: a damaged one ({error})."
        ) from error


class ModelBuilder:
    """Builds a model of one or more graphs; runtimes run the first graph.

    Args:
        description: A sentence about the model.
    """

    def __init__(self, description: str):
        self.schema = require("ai_edge_litert.schema_py_generated")
        self.model = self.schema.ModelT(
            version=3,
            description=description.encode(),
            # In this format buffer 0 must be empty.
            buffers=[self.schema.BufferT()],
            operatorCodes=[],
            subgraphs=[],
            metadata=[],
            signatureDefs=[],
        )
        self._codes: dict[tuple[str, int], int] = {}

    @classmethod
    def of(cls, content: bytes) -> "ModelBuilder":
        """A builder for an existing file; it can add data, but no graphs."""
        builder = cls("")
        builder.model = parse(content)
        builder.model.metadata = list(builder.model.metadata or ())
        return builder

    def graph(self, name: str) -> "GraphBuilder":
        """Add a graph."""
        return GraphBuilder(self, name)

    def add_metadata(self, name: str, content: bytes) -> None:
        """Add a named block of bytes, or replace the block of this name."""
        for entry in self.model.metadata:
            if entry.name == name.encode():
                self.model.buffers[entry.buffer].data = np.frombuffer(content, "uint8")
                return
        buffer = self.add_buffer(content)
        self.model.metadata.append(self.schema.MetadataT(name=name.encode(), buffer=buffer))

    def add_buffer(self, content: bytes) -> int:
        """Add data and return its index."""
        data = np.frombuffer(content, "uint8")
        self.model.buffers.append(self.schema.BufferT(data=data))
        return len(self.model.buffers) - 1

    def operator_code(self, name: str, version: int) -> int:
        """Index of a builtin operator, added on first use."""
        index = self._codes.setdefault((name, version), len(self._codes))
        if index == len(self.model.operatorCodes):
            code = getattr(self.schema.BuiltinOperator, name)
            # The older field of one byte holds codes up to 126; 127 refers to the newer field.
            entry = self.schema.OperatorCodeT(
                builtinCode=code, deprecatedBuiltinCode=min(code, 127), version=version
            )
            self.model.operatorCodes.append(entry)
        return index

    def to_bytes(self) -> bytes:
        """The content of the file."""
        builder = require("flatbuffers").Builder(1 << 16)
        builder.Finish(self.model.Pack(builder), b"TFL3")
        return bytes(builder.Output())


class GraphBuilder:
    """Tensors and operators of one graph, in the order in which they run."""

    def __init__(self, model: ModelBuilder, name: str):
        self.model = model
        self.index = len(model.model.subgraphs)
        self._graph = model.schema.SubGraphT(
            name=name.encode(), tensors=[], operators=[], inputs=[], outputs=[]
        )
        self._constants: dict[tuple[str, tuple[int, ...], bytes], Tensor] = {}
        model.model.subgraphs.append(self._graph)

    def tensor(self, shape: tuple[int, ...], dtype: str, name: str = "", buffer: int = 0) -> Tensor:
        """Add a tensor; integers get scale 1 and zero point 0."""
        schema = self.model.schema
        entry = schema.TensorT(
            name=name.encode(),
            shape=list(shape),
            type=getattr(schema.TensorType, dtype.upper()),
            buffer=buffer,
        )
        if dtype in _QUANTISED:
            entry.quantization = schema.QuantizationParametersT(scale=[1.0], zeroPoint=[0])
        self._graph.tensors.append(entry)
        return Tensor(len(self._graph.tensors) - 1, tuple(shape), dtype)

    def constant(self, value: np.ndarray, name: str = "") -> Tensor:
        """Add data; equal data is stored once."""
        content = np.ascontiguousarray(value).tobytes()
        key = (str(value.dtype), value.shape, content)
        if key not in self._constants:
            buffer = self.model.add_buffer(content)
            self._constants[key] = self.tensor(value.shape, str(value.dtype), name, buffer)
        return self._constants[key]

    def input(self, name: str, shape: tuple[int, ...], dtype: str) -> Tensor:
        """Add an input."""
        tensor = self.tensor(shape, dtype, name)
        self._graph.inputs.append(tensor.index)
        return tensor

    def output(self, name: str, tensor: Tensor) -> None:
        """Make a tensor an output with a name."""
        self._graph.tensors[tensor.index].name = name.encode()
        self._graph.outputs.append(tensor.index)

    def operator(
        self,
        name: str,
        inputs: list[Tensor],
        outputs: list[Tensor],
        options: str | None = None,
        version: int = 1,
        **settings: object,
    ) -> None:
        """Add a builtin operator.

        Args:
            name: Name in the schema's `BuiltinOperator`, such as `"CONV_2D"`.
            inputs: Tensors that the operator reads.
            outputs: Tensors that the operator writes.
            options: Name in the schema's `BuiltinOptions`, such as `"Conv2DOptions"`.
            version: Version of the operator; an old runtime refuses a version that it lacks.
            **settings: Fields of the options.
        """
        schema = self.model.schema
        entry = schema.OperatorT(
            opcodeIndex=self.model.operator_code(name, version),
            inputs=[tensor.index for tensor in inputs],
            outputs=[tensor.index for tensor in outputs],
        )
        if options is not None:
            entry.builtinOptionsType = getattr(schema.BuiltinOptions, options)
            entry.builtinOptions = getattr(schema, f"{options}T")(**settings)
        self._graph.operators.append(entry)

    def sign(self, key: str) -> None:
        """Add a signature, so that runtimes find inputs and outputs by name."""
        schema = self.model.schema

        def named(indices: list[int]) -> list[Any]:
            tensors = self._graph.tensors
            return [schema.TensorMapT(name=tensors[i].name, tensorIndex=i) for i in indices]

        self.model.model.signatureDefs.append(
            schema.SignatureDefT(
                inputs=named(self._graph.inputs),
                outputs=named(self._graph.outputs),
                signatureKey=key.encode(),
                subgraphIndex=self.index,
            )
        )
