"""Docstrings of the package as Markdown: what Griffe's Google style does not know of the house's.

`convert` is a function of text alone, so that the tests need no Griffe.
"""

import re
import textwrap

# Sections whose lines are `name: text`, as in `Args:`, but which Griffe does not know.
_LISTS = ("Call arguments",)
_SHAPES = ("Input shape", "Output shape")


def convert(text):
    """A docstring in Markdown that Griffe reads as Google style."""
    lines = text.splitlines()
    for step in (_returns, _inline, _examples, _tables, _sections):
        lines = step(lines)
    return "\n".join(lines)


def _indent(line):
    return len(line) - len(line.lstrip())


def _examples(lines):
    """`Example:` with its prompts at the margin becomes `Examples:` with an indented body."""
    out, inside = [], False
    for line in lines:
        if re.fullmatch(r"Examples?:\s*", line):
            inside = True
            out.append("Examples:")
        elif inside and (line.strip() or out[-1] != "Examples:"):
            out.append("    " + line if line.strip() else "")
        elif inside:  # Griffe takes a section whose body follows at once
            continue
        else:
            out.append(line)
    return out


def _returns(lines):
    """The type that a value returned begins with is code already, without backticks."""
    out = list(lines)
    for number, line in enumerate(lines[1:], 1):
        if lines[number - 1].rstrip() == "Returns:":
            out[number] = re.sub(r"^(\s+)`([^`]+)`: ", r"\1\2: ", line)
    return out


def _tables(lines):
    """A simple table of reStructuredText, between lines of `=`, becomes one of Markdown."""
    out, number = [], 0
    while number < len(lines):
        if not re.fullmatch(r"\s*=+(\s+=+)+\s*", lines[number]):
            out.append(lines[number])
            number += 1
            continue
        rule = lines[number]
        starts = [match.start() for match in re.finditer(r"=+", rule)]
        ends = [*starts[1:], None]
        rules = [n for n in range(number, len(lines)) if lines[n].strip() == rule.strip()][:3]
        rows = [_cells(line, starts, ends) for line in lines[rules[0] + 1 : rules[-1]]]
        head, body = rows[0], _joined(rows[rules[1] - rules[0] :])
        table = [head, ["---"] * len(head), *body]
        out += ["", *("| " + " | ".join(row) + " |" for row in table), ""]
        number = rules[-1] + 1
    return out


def _cells(line, starts, ends):
    return [line[a:b].strip().replace("|", r"\|") for a, b in zip(starts, ends, strict=True)]


def _joined(rows):
    """Rows whose first cell is empty go on with the row above."""
    out = []
    for row in rows:
        if out and not row[0]:
            out[-1] = [" ".join(filter(None, pair)) for pair in zip(out[-1], row, strict=True)]
        else:
            out.append(row)
    return out


def _sections(lines):
    """Sections that only Keras knows become a bold line with a list or a paragraph."""
    out, number = [], 0
    while number < len(lines):
        title = lines[number].rstrip().removesuffix(":")
        if title not in (*_LISTS, *_SHAPES):
            out.append(lines[number])
            number += 1
            continue
        end = number + 1
        while end < len(lines) and (not lines[end].strip() or _indent(lines[end])):
            end += 1
        body = textwrap.dedent("\n".join(lines[number + 1 : end])).strip().splitlines()
        out += [f"**{title}**", ""]
        for line in body:
            item = title in _LISTS and re.match(r"(\w+): (.*)", line)
            out.append(f"- `{item[1]}`: {item[2]}" if item else line)
        out.append("")
        number = end
    return out


def _inline(lines):
    """Angle brackets outside of code are text, not HTML; names of the package become links."""
    out, example = [], False
    for line in lines:
        example = example or re.fullmatch(r"Examples?:\s*", line) is not None
        parts = [line] if example else re.split(r"(`[^`]*`)", line)
        out.append("".join(part if example else _escaped(part) for part in parts))
    return out


def _escaped(part):
    name = re.fullmatch(r"`(keras_proxy_snn(?:\.\w+)+)`", part)
    if name:
        short = name[1].rsplit(".", 1)[1]
        return f'<autoref optional identifier="{name[1]}"><code>{short}</code></autoref>'
    return part if part.startswith("`") else part.replace("<", "&lt;")


try:
    import griffe
except ImportError:  # the tests of `convert` run without it
    pass
else:

    class Docstrings(griffe.Extension):
        """Converts every docstring as soon as Griffe has read it."""

        def on_object(self, *, obj, **kwargs):
            """Called for modules, classes, functions and attributes."""
            if obj.docstring is not None:
                obj.docstring.value = convert(obj.docstring.value)
