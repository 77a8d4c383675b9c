"""The pages name what exists."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
import xarray as xr

import gracelstm_xr as gx

DOCS = Path(__file__).parents[1] / "docs"
PAGES = sorted(
    p
    for p in DOCS.rglob("*.md")
    if not {"_build", "notebooks", "generated"} & set(p.relative_to(DOCS).parts)
)


def test_pages_are_there() -> None:
    expected = {
        "contributing",
        "data",
        "faq",
        "getting-started",
        "index",
        "installation",
    }
    assert expected | {"peers", "tutorials", "whats-new"} <= {p.stem for p in PAGES}


def test_recipes_and_extras_named_exist() -> None:
    root = DOCS.parent
    text = " ".join(p.read_text() for p in PAGES)
    for name in re.findall(r"\brecipes/[a-z_]+\.(?:py|yaml)", text):
        assert (root / name).is_file(), name
    extras = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    for name in re.findall(r"gracelstm-xr\[([a-z0-9]+)\]", text):
        assert name in extras["optional-dependencies"], name


def test_every_notebook_is_listed_and_there() -> None:
    text = (DOCS / "tutorials.md").read_text()
    listed = re.findall(r"\]\(\.\./recipes/([a-z_0-9]+\.ipynb)\)", text)
    assert listed == sorted(p.name for p in (DOCS.parent / "recipes").glob("*.ipynb"))


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.stem)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+\.md)\)", page.read_text()):
        if "generated/" not in target:  # made by the build
            assert (page.parent / target).is_file(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.stem)
def test_methods_named_exist(page: Path) -> None:
    text = page.read_text()
    for name in re.findall(r"\.grace\.([a-z_0-9.]+)\(", text):
        found = xr.Dataset.grace
        for part in name.split("."):
            found = getattr(found, part)
        assert callable(found)
    for name in re.findall(r"\bgx\.([a-z_]+)", text):
        assert name in gx.__all__


def test_commands_named_exist() -> None:
    from gracelstm_xr.cli.parser import build_parser

    text = " ".join(p.read_text() for p in PAGES)
    usage = build_parser().format_help()
    for name in set(re.findall(r"^gracelstm ([a-z]+)", text, re.MULTILINE)):
        assert name in usage
