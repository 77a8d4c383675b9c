"""Where Keras is not installed everything but networks works, and they say so."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from gracelstm_xr.filling.model import FittedModel

CODE = """
import importlib.abc, sys, warnings


class Absent(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"keras", "tensorflow", "jax", "torch"}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


sys.meta_path.insert(0, Absent())
import matplotlib
matplotlib.use("agg")
import gracelstm_xr as gx
from gracelstm_xr.errors import GraceError

archive, file, store = sys.argv[1:]
gx.ingest(archive, store, stop="2008-01-01")
ds = gx.open_store(store)
assert ds.grace.gaps().sizes["gap"]
assert ds.grace.clean()["acc_cleanflg"].any()
ds.grace.plot.gaps()
few = ds.isel(time=slice(0, 43_200))
few.grace.transplant()["lin_accl_transplant"].isel(time=slice(0, 9)).compute()
few.grace.fill(method="linear")["lin_accl_filled"].isel(time=slice(0, 9)).compute()
model = gx.load_model(file)
print(model)
for call in (lambda: few.grace.fit(epochs=1), lambda: ds.grace.fill(model).compute()):
    try:
        call()
    except GraceError as error:
        print(error)
"""


def test_without_keras(twin_archive: Path, model: FittedModel, tmp_path: Path) -> None:
    file = tmp_path / "b.gracelstm"
    model.save(file)
    done = subprocess.run(
        [sys.executable, "-c", CODE, twin_archive, file, tmp_path / "a.zarr"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    loaded, *lines = done.stdout.splitlines()
    assert loaded == repr(model)
    assert len(lines) == 2
    for line in lines:
        assert line.startswith("found no Keras with a back end here (No module named")
        assert "pip install tensorflow" in line
