"""Hooks of MkDocs: what pages include, the figures of results, and the project's addresses.

A line `<!-- include KIND WHAT -->` of a page becomes

    file PATH            the file, without its first heading
    files PATTERN        every file of that pattern, or a line that says that there is none
    section PATH NAME    what stands between `<!-- begin NAME -->` and `<!-- end NAME -->` in it
    table NAME           a table of benchmarks/_results.py
    help COMMAND         what `keras-proxy-snn COMMAND --help` prints

`<!-- drawing PATH -->` becomes the SVG itself, which follows the colours of the page, and a link
to `repo:PATH` or `issues:` leads to the project's home.
"""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

from mkdocs.structure.files import File

ROOT = Path(__file__).resolve().parents[2]
INCLUDE = re.compile(r"^<!-- include (\w+) ?(.*?) -->$", re.MULTILINE)
DRAWING = re.compile(r"^<!-- drawing (\S+) -->$", re.MULTILINE)
DOCS = ROOT / "docs"
RESULTS = ROOT / "benchmarks" / "results"
# The backend of `run.py docs`; the package is imported for tables and help.
os.environ.setdefault("KERAS_BACKEND", "jax")


def on_config(config):
    """Take the addresses from the one place where they stand."""
    urls = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["urls"]
    config.site_url = urls["Documentation"]
    config.repo_url = urls["Homepage"]
    config.repo_name = urls["Homepage"].removeprefix("https://github.com/")
    config.watch.append(str(RESULTS))
    return config


def on_files(files, config):
    """Put the figures of the results beside the pages, as `figures/...`."""
    for path in (*RESULTS.glob("*/*.png"), *RESULTS.glob("paper/figures/*.png")):
        where = f"figures/{path.relative_to(RESULTS).as_posix()}"
        files.append(File.generated(config, where, abs_src_path=str(path)))
    return files


def on_page_markdown(markdown, page, config, files):
    """Fill in what a page includes."""
    to_root = "../" * page.file.src_uri.count("/")

    def fill(match):
        text = INCLUDES[match[1]](*match[2].split())
        return _with_figures(_with_addresses(text, config.repo_url), to_root)

    markdown = DRAWING.sub(lambda match: (DOCS / match[1]).read_text(), markdown)
    filled = INCLUDE.sub(fill, markdown)
    filled = filled.replace("](issues:)", f"]({config.repo_url}/issues)")
    return filled.replace("](repo:", f"]({config.repo_url}/blob/main/")


def _file(path):
    text = (ROOT / path).read_text()
    return re.sub(r"\A# .*\n", "", text).strip()


def _files(pattern):
    found = [_file(path) for path in sorted(ROOT.glob(pattern))]
    return "\n\n".join(found) or "*Not trained yet.*"


def _section(path, name):
    text = (ROOT / path).read_text()
    (found,) = re.findall(rf"<!-- begin {name} -->(.*?)<!-- end {name} -->", text, re.DOTALL)
    return found.strip()


def _table(name):
    sys.path.insert(0, str(ROOT / "benchmarks"))
    try:
        import _results
    finally:
        sys.path.pop(0)
    return getattr(_results, f"{name}_table")()


def _help(*command):
    words = [sys.executable, "-m", "keras_proxy_snn", *command, "--help"]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True)
    shown = done.stdout.replace("python -m keras_proxy_snn", "keras-proxy-snn")
    return f"```text\n{shown.strip()}\n```"


INCLUDES = {"file": _file, "files": _files, "section": _section, "table": _table, "help": _help}


def _with_figures(text, to_root):
    """Pictures beside the included file lie in `figures/` of the site."""
    return re.sub(r"\]\((?:results/|figures/)(\S+\.png)\)", rf"]({to_root}figures/\1)", text)


def _with_addresses(text, home):
    """Links to files of the project lead to its home."""
    return re.sub(
        r"\]\((?!https?:|#|results/|figures/)([\w./-]+)\)", rf"]({home}/blob/main/\1)", text
    )
