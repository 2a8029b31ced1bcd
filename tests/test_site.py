"""The documentation site: its Python and its commands run, and docstrings become Markdown."""

import ast
import importlib
import re
import sys
import tomllib
from pathlib import Path

import pytest

import keras_proxy_snn
from tests.pages import ROOT, blocks, commands_of, run_command, run_python, write_images

DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
# Libraries that one page alone shows, and that no extra has.
NEEDS = {"how-to/which-file.md": ("nirtorch", "spikingjelly.activation_based.nir_exchange")}
SYMBOLS = re.compile(r"^::: keras_proxy_snn\.(\S+)$", re.MULTILINE)
LINKS = re.compile(r"\]\(repo:([^)#\s]+)")
sys.path.insert(0, str(DOCS / "_site"))
docstrings = importlib.import_module("docstrings")
sys.path.remove(str(DOCS / "_site"))


def name(path):
    return str(path.relative_to(DOCS))


# The package's own tests are what runs on each backend; these pages say no more than they.
@pytest.mark.any_backend
@pytest.mark.parametrize(
    "page", [p for p in PAGES if blocks(p, "python") or commands_of(p)], ids=name
)
@pytest.mark.slow
def test_code_and_commands_of_a_page_run_in_one_folder(page, tmp_path, monkeypatch, capsys):
    pytest.importorskip("matplotlib", reason='pip install "keras-proxy-snn[viz]"')
    pytest.importorskip("nir", reason='pip install "keras-proxy-snn[export]"')
    for library in NEEDS.get(name(page), ()):
        pytest.importorskip(library, reason=f"{page.name} shows it")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)  # as for a script of this folder
    write_images(tmp_path / "images")
    run_python(page)
    assert not re.search(r"^rate_\w+: 0\.00$", capsys.readouterr().out, re.MULTILINE)
    for words in commands_of(page):
        known = run_command(words, monkeypatch) or words[0] in ("pip", "export")
        assert known, words


@pytest.mark.once
def test_commands_stand_in_blocks_that_run():
    """What another name than `sh` marks as commands would be read by nobody here."""
    for page in (*PAGES, ROOT / "README.md", ROOT / "CONTRIBUTING.md"):
        marked = set(re.findall(r"^ *```(\w+)", page.read_text(), re.MULTILINE))
        assert not marked & {"bash", "shell", "console", "zsh", "python3"}, page


PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
# What a package that a page names brings along.
BROUGHT = {"nirtorch": {"torch"}, "spikingjelly": {"torch"}}
ALWAYS = {*sys.stdlib_module_names, "keras", "numpy", "keras_proxy_snn", "on_device"}


@pytest.mark.once
def test_a_page_says_how_to_install_what_its_code_imports():
    seen, extras_of = set(), PROJECT["optional-dependencies"]
    for page in PAGES:
        imported = set()
        for node in (n for code in blocks(page, "python") for n in ast.walk(ast.parse(code))):
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = [node.module] if isinstance(node, ast.ImportFrom) else node.names
                imported |= {getattr(n, "name", n).split(".")[0] for n in names}
        installed = set()
        for command in re.findall("pip install ([^`\n]+)", page.read_text()):
            for package, extras in re.findall(r"([\w-]+)(?:\[([\w,-]+)\])?", command):
                own = extras.split(",") if package == "keras-proxy-snn" else []
                installed |= {package, *BROUGHT.get(package, ())}
                installed |= {re.split("[>=]", p)[0] for extra in own for p in extras_of[extra]}
        assert imported - ALWAYS <= installed, f"{page}: {imported - ALWAYS - installed}"
        seen |= imported - ALWAYS
    assert seen >= {"nir", "nirtorch", "onnxruntime", "spikingjelly", "torch"}


@pytest.mark.once
def test_addresses_of_pages_lead_to_pages_and_their_sections():
    files = [*(ROOT / "keras_proxy_snn").rglob("*.py"), *(ROOT / "examples").rglob("*.ipynb")]
    site, addresses = re.escape(PROJECT["urls"]["Documentation"]), set()
    for file in [*files, ROOT / "README.md"]:
        text = file.read_text()
        assert "of the documentation" not in text, f"{file} names a page without its address"
        addresses |= {*re.findall(rf"{site}([\w/-]+(?:#[\w-]+)?)", text)}
    assert addresses >= {"learn/own-cnn/#what-can-be-converted", "how-to/which-file/"}
    for address in addresses:
        path, _, section = address.partition("#")
        (page,) = (p for p in (f"{path[:-1]}.md", f"{path}index.md") if (DOCS / p).exists())
        titles = re.findall("^#+ (.+)$", (DOCS / page).read_text(), re.MULTILINE)
        anchors = {re.sub(r"[^\w]+", "-", title.lower()).strip("-") for title in titles}
        assert not section or section in anchors, address


@pytest.mark.once
def test_the_page_and_the_notebook_of_own_cnns_train_at_the_same_rates():
    """`QuantisedANN` first, then the proxy."""
    page = "".join(blocks(DOCS / "learn" / "own-cnn.md", "python")).split("model.save")[0]
    notebook = (ROOT / "examples" / "notebooks" / "own_cnn.ipynb").read_text()
    found = [
        re.findall(r"Adam\((.*?)\)", text.split("QuantisedANN(")[1]) for text in (page, notebook)
    ]
    assert found == [["1e-4", "1e-4"]] * 2


@pytest.mark.once
def test_links_to_the_repository_lead_to_files_that_it_has():
    links = [(page, link) for page in PAGES for link in LINKS.findall(page.read_text())]
    assert len(links) > 10
    for page, link in links:
        assert (ROOT / link).exists(), f"{page}: {link}"


@pytest.mark.once
def test_every_public_name_stands_in_the_reference():
    text = "\n".join(page.read_text() for page in (DOCS / "reference").glob("*.md"))
    found = {symbol.split(".")[-1] for symbol in SYMBOLS.findall(text)}
    rooms = ("datasets", "export", "layers", "methods", "statistics", "visualization")
    public = {*keras_proxy_snn.__all__} - {*rooms, "__version__"}
    for room in rooms:
        tree = ast.parse((Path(keras_proxy_snn.__file__).parent / room / "__init__.py").read_text())
        (names,) = (
            ast.literal_eval(node.value)
            for node in tree.body
            if isinstance(node, ast.Assign) and node.targets[0].id == "__all__"
        )
        public |= {*names}
    assert public <= found, public - found


@pytest.mark.once
def test_pages_stand_in_the_navigation_and_no_line_is_long():
    navigation = (ROOT / "mkdocs.yml").read_text()
    for page in PAGES:
        assert name(page) in navigation
        if "edge_report" in page.name:
            continue
        for line in page.read_text().splitlines():
            assert len(line) <= 120 or line.startswith(("|", "python ", "<")), f"{page}: {line}"


DOCSTRING = """A layer.

Distances are 1 - <p, q> / |p|, and `rate_<layer>` is code; see `keras_proxy_snn.layers.IF`.

    ======  ===========
    layer   becomes
    ======  ===========
    Conv2D  IFConv2D,
            with `a|b`
    Dense   IFDense
    ======  ===========

Returns:
    `Pair`: spikes and `v`.

Call arguments:
    inputs: Currents
        of all steps.
    training: Not used.

Output shape:
    `(batch, time)`.

Example:

>>> 1 < 2
True

>>> 3
3
"""
MARKDOWN = """A layer.

Distances are 1 - &lt;p, q> / |p|, and `rate_<layer>` is code; see \
<autoref optional identifier="keras_proxy_snn.layers.IF"><code>IF</code></autoref>.


| layer | becomes |
| --- | --- |
| Conv2D | IFConv2D, with `a\\|b` |
| Dense | IFDense |


Returns:
    Pair: spikes and `v`.

**Call arguments**

- `inputs`: Currents
    of all steps.
- `training`: Not used.

**Output shape**

`(batch, time)`.

Examples:
    >>> 1 < 2
    True

    >>> 3
    3"""


@pytest.mark.once
def test_docstrings_become_markdown_that_griffe_reads():
    assert docstrings.convert(DOCSTRING) == MARKDOWN
