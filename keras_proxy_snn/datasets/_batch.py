"""A safe reader of CIFAR-10's pickled batches, without Python's unpickler.

Python's unpickler calls any function that a file names, and a NumPy array in a pickle may claim any
type and any size. This reader accepts only the following values: None, integers, text, bytes,
tuples, lists, dictionaries and an array of unsigned bytes that the file itself contains. All other
content is an error. The number of operations is bounded, and each operation adds little. So memory
and time are never much larger than for a real batch.

Sources: `pickletools` in the standard library describes the opcodes;
`numpy.ndarray.__reduce_ex__` shows how NumPy pickles an array.
"""

from collections.abc import Callable
from enum import Enum
from typing import Any, ClassVar

import numpy as np

from ._info import Pixels

__all__ = ["read_batch"]


class _Name(Enum):
    """Functions and types that a file may name. The reader never calls them."""

    RECONSTRUCT = "numpy's array, empty at first"
    FROMBUFFER = "numpy's array of given bytes"
    NDARRAY = "the class of arrays"
    DTYPE = "the class of number formats"
    UINT8 = "the format of unsigned bytes"
    ENCODE = "text as bytes"


_NAMES = {
    (f"numpy.{core}.{module}", name): found
    for core in ("core", "_core")  # NumPy 2 moved them
    for module, name, found in (
        ("multiarray", "_reconstruct", _Name.RECONSTRUCT),
        ("numeric", "_frombuffer", _Name.FROMBUFFER),
    )
} | {
    ("numpy", "ndarray"): _Name.NDARRAY,
    ("numpy", "dtype"): _Name.DTYPE,
    ("_codecs", "encode"): _Name.ENCODE,
}
_UINT8_STATE = (3, "|", None, None, None, -1, -1, 0)


class _Array:
    """An array; the file may give its pixels later."""

    pixels: Pixels | None = None


def read_batch(data: bytes, images: int, values: int) -> dict[str, Any]:
    """Read a batch.

    Args:
        data: The file.
        images: Number of images that it must have.
        values: Number of values per image.

    Returns:
        The dictionary of the batch, with keys as text. An array, such as `data`, has the shape
        `(images, values)` and the type uint8. Other values are integers, text, bytes, or lists of
        integers, text and bytes.

    Raises:
        ValueError: If the file has any other content. The message says what was received, as a
            part of a sentence.
    """
    return _Machine(data, images, values).run()


class _Machine:
    """The stack machine that executes a pickle, with plain values only."""

    def __init__(self, data: bytes, images: int, values: int):
        self._data, self._shape = data, (images, values)
        self._at = 0
        # Each image needs some operations: for its label, its file name and the memo. A name
        # that Python 3 encodes needs nine.
        self._operations = 16 * images + 1024
        self._encoded = len(data)
        self.stack: list[Any] = []
        self._marks: list[int] = []
        self.memo: dict[int, Any] = {}

    def run(self) -> dict[str, Any]:
        while (code := self.take(1)[0]) != ord("."):
            if code not in self._CODES:
                raise ValueError(f"a file with opcode 0x{code:02x}, which no batch needs")
            self._operations -= 1
            if self._operations < 0:
                raise ValueError("a file with more operations than a batch needs")
            self._CODES[code](self)
        batch = self.pop()
        if self.stack or self._marks or self._at != len(self._data):
            raise ValueError("a file that goes on after its end")
        if type(batch) is not dict:
            raise ValueError(f"a pickled {type(batch).__name__} instead of a dictionary")
        return {
            key: value.pixels if isinstance(value, _Array) else value
            for key, value in batch.items()
        }

    def take(self, length: int) -> bytes:
        start, self._at = self._at, self._at + length
        if self._at > len(self._data):
            raise ValueError("a file that ends too early")
        return self._data[start : self._at]

    def number(self, length: int, signed: bool = False) -> int:
        return int.from_bytes(self.take(length), "little", signed=signed)

    def line(self) -> str:
        end = self._data.find(b"\n", self._at, self._at + 100)
        line = self.take(max(end - self._at, 0) + 1)
        return line[:-1].decode("ascii")

    def pop(self) -> Any:
        if len(self.stack) <= (self._marks[-1] if self._marks else 0):
            raise ValueError("a file that uses a value that is not there")
        return self.stack.pop()

    def pop_since_mark(self) -> list[Any]:
        if not self._marks:
            raise ValueError("a file that uses values that are not there")
        start = self._marks.pop()
        values = self.stack[start:]
        del self.stack[start:]
        return values

    def _top(self, kind: type) -> Any:
        value = self.pop()
        if type(value) is not kind:
            raise ValueError(f"a file with {type(value).__name__} in place of {kind.__name__}")
        self.stack.append(value)
        return value

    def mark(self) -> None:
        self._marks.append(len(self.stack))

    def push_tuple(self, length: int) -> None:
        values = [self.pop() for _ in range(length)]
        self.stack.append(tuple(reversed(values)))

    def put(self, key: int) -> None:
        self.memo[key] = self.pop()
        self.stack.append(self.memo[key])

    def get(self, key: int) -> None:
        if key not in self.memo:
            raise ValueError("a file that uses a value that is not there")
        self.stack.append(self.memo[key])

    def append(self, values: list[Any]) -> None:
        if not all(type(value) in (int, str, bytes) for value in values):
            raise ValueError("a list of values that are neither numbers nor text")
        self._top(list).extend(values)

    def set_items(self, values: list[Any]) -> None:
        keys, values = values[::2], values[1::2]
        if len(keys) != len(values):
            raise ValueError("a dictionary with a key that has no value")
        batch = self._top(dict)
        for key, value in zip(keys, values, strict=True):
            if type(key) not in (str, bytes) or type(value) not in (int, str, bytes, list, _Array):
                raise ValueError("a dictionary with an entry of another type than a batch has")
            batch[_text(key)] = value

    def name(self, module: str, name: str) -> None:
        if (module, name) not in _NAMES:
            raise ValueError(
                f"a file that names {f'{module}.{name}':.80}, which no CIFAR-10 batch needs and "
                "which was not run"
            )
        self.stack.append(_NAMES[module, name])

    def stack_name(self) -> None:
        name, module = self.pop(), self.pop()
        if type(name) is not str or type(module) is not str:
            raise ValueError("a file with a name that is not text")
        self.name(module, name)

    def reduce(self) -> None:
        """Push the result of a call; only the calls that arrays and bytes need are allowed."""
        values, name = self.pop(), self.pop()
        values = tuple(map(_text, values)) if type(values) is tuple else ()
        if name is _Name.DTYPE and values == ("u1", 0, 1):
            self.stack.append(_Name.UINT8)
        elif name is _Name.RECONSTRUCT and values == (_Name.NDARRAY, (0,), "b"):
            self.stack.append(_Array())
        elif name is _Name.FROMBUFFER and len(values) == 4 and values[1::2] == (_Name.UINT8, "C"):
            self.stack.append(_Array())
            self._fill(values[2], values[0])
        elif name is _Name.ENCODE and len(values) == 2 and type(values[0]) is str:
            self.stack.append(self._latin1(*values))
        else:
            raise ValueError("'data' that is not a uint8 array")

    def _latin1(self, text: str, encoding: object) -> bytes:
        if encoding != "latin1":
            received = repr(encoding) if type(encoding) is str else type(encoding).__name__
            raise ValueError(f"a pickled encoding other than latin1: {received:.60}")
        self._encoded -= len(text)
        if self._encoded < 0:
            raise ValueError("a file that encodes more text than it has")
        return text.encode("latin1")

    def build(self) -> None:
        """Set the state of a number format or an array."""
        state, value = self.pop(), self.pop()
        self.stack.append(value)
        state = tuple(map(_text, state)) if type(state) is tuple else ()
        if value is _Name.UINT8 and state == _UINT8_STATE:
            return
        if type(value) is not _Array or len(state) != 5 or state[0] != 1:
            raise ValueError("a file that sets a state that no batch has")
        if state[2] is not _Name.UINT8 or state[3] is not False:
            raise ValueError("'data' that is not a uint8 array in C order")
        self._fill(state[1], state[4])

    def _fill(self, shape: object, content: object) -> None:
        """Check the number of pixels, then give them to the array on top of the stack."""
        array = self._top(_Array)
        if type(shape) is not tuple or not all(type(size) is int for size in shape[:9]):
            raise ValueError("'data' whose shape is not made of integers")
        if shape != self._shape:
            raise ValueError(f"'data' of shape {shape[:9]} instead of {self._shape}")
        if type(content) is not bytes or len(content) != shape[0] * shape[1]:
            raise ValueError(f"'data' with another number of bytes than {shape[0] * shape[1]:,}")
        array.pixels = np.frombuffer(content, np.uint8).reshape(shape)

    _CODES: ClassVar[dict[int, Callable[["_Machine"], Any]]] = {
        code[0]: action
        for code, action in {
            b"\x80": lambda m: m.take(1),  # the protocol
            b"\x95": lambda m: m.take(8),  # the length of a frame
            b"(": lambda m: m.mark(),
            b"N": lambda m: m.stack.append(None),
            b"\x88": lambda m: m.stack.append(True),
            b"\x89": lambda m: m.stack.append(False),
            b"K": lambda m: m.stack.append(m.number(1)),
            b"M": lambda m: m.stack.append(m.number(2)),
            b"J": lambda m: m.stack.append(m.number(4, signed=True)),
            b"U": lambda m: m.stack.append(m.take(m.number(1))),  # Python 2's strings
            b"T": lambda m: m.stack.append(m.take(m.number(4))),
            b"C": lambda m: m.stack.append(m.take(m.number(1))),
            b"B": lambda m: m.stack.append(m.take(m.number(4))),
            b"\x8e": lambda m: m.stack.append(m.take(m.number(8))),
            b"\x96": lambda m: m.stack.append(m.take(m.number(8))),
            b"\x8c": lambda m: m.stack.append(m.take(m.number(1)).decode()),
            b"X": lambda m: m.stack.append(m.take(m.number(4)).decode()),
            b")": lambda m: m.push_tuple(0),
            b"\x85": lambda m: m.push_tuple(1),
            b"\x86": lambda m: m.push_tuple(2),
            b"\x87": lambda m: m.push_tuple(3),
            b"t": lambda m: m.stack.append(tuple(m.pop_since_mark())),
            b"]": lambda m: m.stack.append([]),
            b"a": lambda m: m.append([m.pop()]),
            b"e": lambda m: m.append(m.pop_since_mark()),
            b"}": lambda m: m.stack.append({}),
            b"s": lambda m: m.set_items([m.pop(), m.pop()][::-1]),
            b"u": lambda m: m.set_items(m.pop_since_mark()),
            b"q": lambda m: m.put(m.number(1)),
            b"r": lambda m: m.put(m.number(4)),
            b"\x94": lambda m: m.put(len(m.memo)),
            b"h": lambda m: m.get(m.number(1)),
            b"j": lambda m: m.get(m.number(4)),
            b"c": lambda m: m.name(m.line(), m.line()),
            b"\x93": lambda m: m.stack_name(),
            b"R": lambda m: m.reduce(),
            b"b": lambda m: m.build(),
        }.items()
    }


def _text(value: object) -> Any:
    """Turn short bytes (strings of Python 2) into text; return any other value unchanged."""
    return value.decode("latin1") if type(value) is bytes and len(value) < 64 else value
