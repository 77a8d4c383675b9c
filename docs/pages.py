"""Pages of the site that follow from the code: notebooks, verbs, commands.

They are written below docs/notebooks and docs/reference/generated, which git ignores.
"""

from __future__ import annotations

import argparse
import inspect
import shutil
import textwrap
from collections.abc import Iterator
from pathlib import Path

import xarray as xr
from numpydoc.docscrape_sphinx import SphinxDocString

import gracelstm_xr as gx
from gracelstm_xr.accessor import GraceAccessor, LSTMAccessor, PlotAccessor, Verb
from gracelstm_xr.cli.parser import build_parser

#: Name in front of a verb, and the accessor it belongs to.
ACCESSORS = {
    "Dataset.grace": GraceAccessor,
    "Dataset.grace.lstm": LSTMAccessor,
    "Dataset.grace.plot": PlotAccessor,
}


def write(docs: Path) -> None:
    """Write all of them anew; a file that stays the same keeps its time."""
    notebooks(docs.parent / "recipes", docs / "notebooks")
    generated = docs / "reference" / "generated"
    for prefix, accessor in ACCESSORS.items():
        verbs(generated, prefix, accessor)
    _write(generated / "commands.md", "\n".join(commands(build_parser())))
    _write(generated / "gallery.md", "\n".join(gallery(generated)))


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.is_file() or path.read_text() != text:
        path.write_text(text)


def notebooks(recipes: Path, folder: Path) -> None:
    """Copy the notebooks; their links to docs/ become links within the site."""
    shutil.rmtree(folder, ignore_errors=True)
    for path in sorted(recipes.glob("*.ipynb")):
        _write(folder / path.name, path.read_text().replace("](../docs/", "](../"))


def verbs(folder: Path, prefix: str, accessor: type) -> None:
    """A page for every verb, and a table of them with first lines."""
    bound = accessor(xr.Dataset())
    names = [name for name, verb in vars(accessor).items() if isinstance(verb, Verb)]
    rows = ["| verb | does |", "|---|---|"]
    for name in names:
        function = getattr(bound, name)
        full = f"{prefix}.{name}"
        _write(folder / f"{full}.rst", _page(full, function))
        first = SphinxDocString(inspect.getdoc(function) or "")["Summary"]
        rows.append(f"| [`{name}`]({full}.rst) | {' '.join(first)} |")
    pages = [f"{prefix}.{name}" for name in names]
    hidden = ["", "```{toctree}", ":hidden:", *pages, "```", ""]
    _write(folder / f"{prefix}.md", "\n".join([f"# `{prefix}`", "", *rows, *hidden]))


def _page(full: str, function: object) -> str:
    signature = inspect.signature(function)  # type: ignore[arg-type]
    plain = signature.replace(
        parameters=[
            p.replace(annotation=p.empty)
            for p in signature.parameters.values()
            if p.name not in _given(function)
        ],
        return_annotation=signature.empty,
    )
    doc = SphinxDocString(inspect.getdoc(function) or "")
    shown = set(signature.parameters) - _given(function)
    doc["Parameters"] = [p for p in doc["Parameters"] if _names(p.name) & shown]
    body = str(doc).replace("\n", "\n   ").rstrip()
    title = full.rpartition(".")[2]
    lines = [
        title,
        "=" * len(title),
        "",
        f".. py:method:: {full}{plain}",
        "",
        f"   {body}",
    ]
    return "\n".join(lines) + "\n"


def _names(documented: str) -> set[str]:
    """Names of one entry of a docstring, such as ``start, stop`` or ``**options``."""
    return {name.strip(" *") for name in documented.split(",")}


def _given(function: object) -> set[str]:
    """Keywords that the accessor has filled in with its Dataset."""
    return set(getattr(function, "keywords", {}))


def commands(parser: argparse.ArgumentParser) -> Iterator[str]:
    """Usage and options of every command, as its parser has them."""
    (choices,) = (
        a.choices for a in parser._actions if isinstance(a, argparse._SubParsersAction)
    )
    for name, command in choices.items():
        yield f"## `gracelstm {name}`\n"
        yield f"{command.description}\n"
        yield f"```text\n{_usage(command)}\n```\n"
        yield "| argument | meaning |\n|---|---|"
        for action in command._actions:
            yield f"| `{_spelling(action)}` | {_meaning(action)} |"
        yield ""


def _usage(command: argparse.ArgumentParser) -> str:
    """Usage in lines of 80 characters, whatever the terminal of the build."""
    words = " ".join(command.format_usage().split()).removeprefix("usage: ")
    return textwrap.fill(words, 80, subsequent_indent="    ", break_on_hyphens=False)


def _spelling(action: argparse.Action) -> str:
    value = str(action.metavar or "|".join(action.choices or ()) or action.dest)
    value = value.replace("|", r"\|")  # else it would end a cell of the table
    if not action.option_strings:
        return value
    return ", ".join(action.option_strings) + (f" {value}" if action.nargs != 0 else "")


def _meaning(action: argparse.Action) -> str:
    return (action.help or "").replace("|", r"\|")


#: Code of the figures of the gallery by name; `ds` and `filled` are simulated.
FIGURES = {
    "overview": 'filled.grace.plot.overview(satellite="B", start=DAY, stop=DAY)',
    "series": (
        'filled.grace.plot.series(\n    axis="x", satellite="B", start=GAP, stop=END\n)'
    ),
    "gaps": "ds.grace.plot.gaps()",
    "calendar": "ds.grace.plot.calendar()",
    "latitude_time": 'ds.grace.plot.latitude_time(axis="x", satellite="A")',
    "ground_track": 'ds.grace.plot.ground_track(satellite="A", start=DAY, stop=DAY)',
    "spectrum": 'ds.grace.plot.spectrum(satellite="A")',
    "transplant_residual": 'ds.grace.plot.transplant_residual(axis="x")',
    "evaluation": 'ds.grace.plot.evaluation(score, axis="y", satellite="B")',
    "coverage": 'ds.grace.plot.coverage(score, satellite="B")',
}


def gallery(folder: Path) -> Iterator[str]:
    """Every figure with the line of code that draws it, made by the build."""
    import matplotlib as mpl

    mpl.use("agg")
    import matplotlib.pyplot as plt

    ds = gx.tutorial.open_dataset("grace-gaps")
    model = gx.fit_baseline(ds, method="ridge")
    names = {
        "DAY": "2008-01-02",
        "GAP": "2008-01-02T05:30",
        "END": "2008-01-02T08:00",
        "ds": ds,
        "filled": ds.grace.fill(model),
        "score": ds.grace.evaluate(
            model,
            lengths=["1min", "10min", "1h"],
            controls=False,
            allow_training=True,
        ),
    }
    yield "# Gallery\n"
    yield (
        'Made by the build, from `gx.tutorial.open_dataset("grace-gaps")`, '
        "three simulated days. `filled` is `ds.grace.fill(model)` and `score` is "
        "`ds.grace.evaluate(model)` on the span its sigma was learnt from, of a model "
        "that is the ridge baseline alone.\n"
    )
    for name, code in FIGURES.items():
        drawn = eval(code, names)
        figure = getattr(drawn, "figure", drawn)
        figure.savefig(folder / f"{name}.png", dpi=110)
        plt.close("all")
        shown = code
        for key in ("DAY", "GAP", "END"):
            shown = shown.replace(f"={key}", f'="{names[key]}"')
        yield f"## {name}\n\n```python\n{shown}\n```\n\n![{name}]({name}.png)\n"
