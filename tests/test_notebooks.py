"""The notebooks run top to bottom, say what is simulated, and stay small."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from notebooks import NOTEBOOKS, execute, texts

NAMES = [
    "01_load_and_look",
    "02_preprocess",
    "03_train",
    "04_analyse_and_fill",
    "05_forecast",
    "06_transplant",
    "07_dask_cluster",
    "08_paper",
]
#: Places on the machine where a notebook ran, and what libraries log.
NOISE = re.compile(
    r"/(?:tmp|home|root|work|Users|var|private|opt)/|Warning|WARNING|Traceback|absl"
)


def source(notebook) -> str:
    return "\n".join(c.source for c in notebook.cells if c.cell_type == "code")


def read(path: Path):
    import nbformat

    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    return notebook


def test_all_are_there():
    assert [p.stem for p in NOTEBOOKS] == NAMES


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """One for all, as for a reader who goes through them in order."""
    return tmp_path_factory.mktemp("notebooks")


@pytest.mark.slow
@pytest.mark.lstm
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_runs_in_a_fresh_kernel(path, folder, monkeypatch):
    monkeypatch.delenv("GRACELSTM_XR_CACHE", raising=False)
    notebook = execute(path, folder, trial=True)
    for text in texts(notebook):
        assert not NOISE.search(text), text[:500]
    streams = [o for c in notebook.cells for o in c.get("outputs", [])]
    assert not [o for o in streams if o.get("name") == "stderr"]
    assert len(json.dumps(notebook)) < 300_000


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_kept_outputs_are_small_and_clean(path):
    assert path.stat().st_size < 300_000
    notebook = read(path)
    cells = [c for c in notebook.cells if c.cell_type == "code"]
    assert [c.execution_count for c in cells] == list(range(1, len(cells) + 1))
    assert not [o for c in cells for o in c.outputs if o.output_type == "error"]
    said = texts(notebook)
    assert not [t for t in said if NOISE.search(t)]
    assert any("simulated" in t for t in said)
    assert any("image/png" in o.get("data", {}) for c in cells for o in c.outputs)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_public_names_and_one_line_for_own_files(path):
    notebook = read(path)
    code = source(notebook)
    assert "from gracelstm_xr" not in code
    assert "import gracelstm_xr." not in code
    assert len(re.findall(r"^FILES = None\b", code, re.MULTILINE)) == 1
    # a heading first, and words before the first figure
    assert notebook.cells[0].cell_type == "markdown"
    assert notebook.cells[0].source.startswith(f"# {int(path.stem[:2])} ")
    assert "simulated" in notebook.cells[0].source
