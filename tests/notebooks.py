"""Run the notebooks of ``recipes/`` as a reader would, each in a fresh kernel.

``python tests/notebooks.py [NAME ...]`` writes what the cells returned back into the
notebooks; the test runs the same without writing.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

RECIPES = Path(__file__).parents[1] / "recipes"
NOTEBOOKS = sorted(RECIPES.glob("*.ipynb"))
#: Longest time one cell may take [s].
TIMEOUT = 500
#: What C++ libraries write to the terminal is no output of a cell; figures stay small.
OPTIONS = [
    "--IPKernelApp.capture_fd_output=False",
    "--IPKernelApp.log_level=40",
    "--InlineBackend.rc={'figure.dpi': 80}",
]
#: What a kernel gets: no GPU, no log of the libraries below, one thread for small
#: matrices.
ENVIRONMENT = {
    "TF_CPP_MIN_LOG_LEVEL": "2",
    "CUDA_VISIBLE_DEVICES": "",
    "OPENBLAS_NUM_THREADS": "1",
}


#: Lines of the notebooks that cost time, and what a trial run takes instead.
TRIAL = {
    '"epochs": 4, "windows_per_epoch": 128, "hindcasts": 12': (
        '"epochs": 1, "windows_per_epoch": 64, "hindcasts": 8, "gaps_per_length": 2'
    ),
    '"windows_per_epoch": 64}': '"windows_per_epoch": 64, "gaps_per_length": 2}',
    "EPOCHS = 5 ": "EPOCHS = 1 ",
}


def execute(path: Path, folder: Path, *, trial: bool = False) -> Any:
    """Run a notebook in a folder of its products; raise where a cell fails.

    Parameters
    ----------
    path : Path
    folder : Path
        Working directory. Simulated archives are kept in ``cache`` beside it.
    trial : bool, optional
        Train for one epoch, hide few gaps.

    Returns
    -------
    nbformat.NotebookNode
        With the outputs of this run.
    """
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.read(path, as_version=4)
    if trial:
        for line, other in TRIAL.items():
            for cell in notebook.cells:
                cell.source = cell.source.replace(line, other)
    client = NotebookClient(
        notebook,
        timeout=TIMEOUT,
        record_timing=False,
        resources={"metadata": {"path": str(folder)}},
        extra_arguments=OPTIONS,
    )
    cache = os.environ.get("GRACELSTM_XR_CACHE", str(folder / "cache"))
    client.execute(env={**os.environ, **ENVIRONMENT, "GRACELSTM_XR_CACHE": cache})
    notebook.metadata["language_info"] = {"name": "python"}
    return notebook


def texts(notebook: Any) -> list[str]:
    """Everything the cells returned in words."""
    found = []
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            found.append(output.get("text", ""))
            data = output.get("data", {})
            found += [value for kind, value in data.items() if kind[:5] == "text/"]
    return found


def main(names: list[str]) -> int:
    """Run notebooks, in order and in one folder, and keep their outputs."""
    import nbformat

    chosen = [p for p in NOTEBOOKS if not names or any(n in p.name for n in names)]
    with tempfile.TemporaryDirectory() as folder:
        for path in chosen:
            started = time.perf_counter()
            notebook = execute(path, Path(os.environ.get("NOTEBOOK_DIR", folder)))
            nbformat.write(notebook, path)
            size = path.stat().st_size / 1e3
            print(f"{path.name}: {time.perf_counter() - started:.0f} s, {size:.0f} kB")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
