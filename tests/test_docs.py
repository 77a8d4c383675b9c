"""The pages name what exists."""

from __future__ import annotations

import contextlib
import re
import shutil
import tarfile
import tomllib
from pathlib import Path

import pytest
import xarray as xr
from markdown import Block, blocks

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


#: Blocks that need what a test has not, at most; the reasons stand in the pages.
MOST_LEFT_OUT = 30
FIRST = DOCS / "getting-started.md"
README = DOCS.parent / "README.md"
#: The member that README and guides open as a file.
MEMBER = "ACC1B_2008-01-01_A_02.dat"
TARBALL = "grace_1B_2008-01-01_02.tar.gz"


def run_page(page: Path, folder: Path, names: dict[str, object]) -> None:
    import matplotlib.pyplot as plt

    with contextlib.chdir(folder), plt.rc_context({"backend": "agg"}):
        for block in blocks(page):
            if block.why is None:
                block.run(names)
        plt.close("all")


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the first page leaves: a simulated day, a store, and beside them a model.

    Training takes minutes, so the model is a baseline.
    """
    folder = tmp_path_factory.mktemp("pages")
    run_page(FIRST, folder, {})
    with contextlib.chdir(folder):
        gx.fit_baseline(gx.open_store("grace.zarr"), method="linear").save(
            "model.gracelstm"
        )
        shutil.copy(f"archive/{TARBALL}", ".")
        with tarfile.open(TARBALL) as tar:
            tar.extract(MEMBER, filter="data")
    return folder


def made_by(page: Path) -> set[str]:
    """Stores that the page writes anew."""
    code = "\n".join(b.code for b in blocks(page) if b.why is None)
    return set(re.findall(r'(?:to_zarr\("|gracelstm fill \S+ \S+ )([\w.]+)', code))


def run_here(page: Path) -> bool:
    return page != FIRST and any(b.why is None for b in blocks(page))


@pytest.mark.slow
@pytest.mark.parametrize(
    "page", list(filter(run_here, [README, *PAGES])), ids=lambda page: page.stem
)
@pytest.mark.filterwarnings("ignore::gracelstm_xr.errors.GraceWarning")
def test_code_of_pages_runs(page: Path, shelf: Path, tmp_path: Path) -> None:
    """In a folder with archive, stores, model and a file, and with `ds`."""
    for name in ("archive", "grace.zarr", "filled.zarr"):
        if name not in made_by(page):
            shutil.copytree(shelf / name, tmp_path / name)
    for name in ("model.gracelstm", TARBALL, MEMBER):
        shutil.copy(shelf / name, tmp_path)
    ds = gx.open_store(shelf / "grace.zarr")
    model = gx.load_model(tmp_path / "model.gracelstm")
    filled = gx.open_store(shelf / "filled.zarr")
    names = {"gx": gx, "xr": xr, "ds": ds, "model": model, "filled": filled}
    run_page(page, tmp_path, names)


def test_few_blocks_are_left_out() -> None:
    left: list[Block] = [
        b for page in [README, *PAGES] for b in blocks(page) if b.why is not None
    ]
    for block in left:
        print(f"{block.page.name}:{block.line}: {block.why}")
    assert len(left) <= MOST_LEFT_OUT
