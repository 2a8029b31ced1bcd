"""Safe C identifiers, strings and comments from any name of a file, a layer or a class."""

import re

__all__ = ["Names", "comment", "prefix_of", "string"]

# Headers of C99's library. A header of the same name would be read in their place.
_HEADERS = (
    *("assert", "complex", "ctype", "errno", "fenv", "float", "inttypes", "iso646", "limits"),
    *("locale", "math", "setjmp", "signal", "stdarg", "stdbool", "stddef", "stdint", "stdio"),
    *("stdlib", "string", "tgmath", "time", "wchar", "wctype"),
)


class Names:
    """Unique C identifiers from names of layers.

    In the code a name is `<prefix>_<identifier>_<role>`, as in `net_conv1_fire`. The role is never
    left out. So no layer's name can be that of a public function, such as `net_step`, and no two
    layers can meet in one name.
    """

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def new(self, name: str) -> str:
        """An identifier for a name; a number is added if the identifier is taken."""
        plain = re.sub(r"[^0-9a-z]+", "_", name.lower()).strip("_") or "layer"
        found, number = plain, 2
        while found in self._taken:
            found, number = f"{plain}_{number}", number + 1
        self._taken.add(found)
        return found


def prefix_of(stem: str) -> str:
    """Prefix of all names in a file, from the file's name without its suffix.

    Raises:
        ValueError: If the name cannot begin a C identifier, cannot be in an #include, or is that of
            a header of C's library.

    Example:

    >>> prefix_of("fashion-mnist v2")
    'fashion_mnist_v2'
    """
    prefix = re.sub(r"[^0-9A-Za-z]+", "_", stem).strip("_")
    if not re.match(r"[A-Za-z]", prefix):
        raise ValueError(
            "The name of a C file must begin with a letter from A to Z, because names in the code "
            f"begin with it. Received: {stem!r}."
        )
    if not re.fullmatch(r"[\w .+-]+", stem):
        raise ValueError(
            "The name of a C file is part of an #include, so it can have only letters, digits, "
            f"spaces and '.', '+', '-', '_'. Received: {stem + '.c'!r}."
        )
    if stem.lower() in _HEADERS:
        raise ValueError(
            f"The header would hide <{stem.lower()}.h> of C's library; choose another name. "
            f"Received: {stem + '.c'!r}."
        )
    return prefix


def string(text: str) -> str:
    r"""A C string of a text in UTF-8.

    Example:

    >>> print(string('caf\u00e9 "??/"'))
    "caf\303\251 \042\077\077/\042"
    """
    plain = set(b" !#$%&'()*+,-./:;<=>@[]^_`{|}~") | set(range(48, 58))
    plain |= set(range(65, 91)) | set(range(97, 123))
    return '"' + "".join(chr(b) if b in plain else f"\\{b:03o}" for b in text.encode()) + '"'


def comment(text: str) -> str:
    """A text that is safe in a C comment: one line, ASCII, without `*/`.

    Example:

    >>> comment("ends */ here")
    'ends *| here'
    """
    plain = "".join(c if " " <= c <= "~" and c not in "\\?" else "_" for c in text)
    return plain.replace("*/", "*|").replace("/*", "|*")
