"""Which files are really opened, seen by the interpreter, in a fresh process."""

from __future__ import annotations

import datetime as dt
import json
import subprocess
import sys
from pathlib import Path

from archives import write_file

CODE = """
import json, sys
opened = []
def note(event, arguments):
    if event == "open" and str(arguments[0]).endswith(".dat"):
        opened.append(str(arguments[0]).rsplit("/", 1)[-1])
sys.addaudithook(note)
def refuse(*_, **__):
    raise AssertionError("something was computed")
import dask, xarray as xr, gracelstm_xr as gx
with dask.config.set(scheduler=refuse):
    ds = gx.open_archive(sys.argv[1])
xr.open_dataset(sys.argv[2], chunks={}).close()
heavy = sorted({"tensorflow", "keras", "matplotlib", "distributed"} & set(sys.modules))
at_open = sorted(set(opened))
opened.clear()
value = float(ds.lin_accl.sel(satellite="B", time="2008-02-03T00:00:07", axis="y"))
at_point = list(opened)
# Dask itself imports distributed, where it is installed, to compute
heavy += sorted({"tensorflow", "keras", "matplotlib"} & set(sys.modules))
print(json.dumps([ds.sizes["time"], at_open, value, at_point, heavy]))
"""


def test_a_point_opens_one_file_and_nothing_heavy(tmp_path: Path) -> None:
    """60 days of two products and two satellites; 240 files."""
    first = dt.date(2008, 1, 1)
    for number in range(60):
        day = (first + dt.timedelta(days=number)).isoformat()
        for product in ("ACC1B", "THR1B"):
            for satellite in "AB":
                write_file(tmp_path, product, day, satellite, value=100.0 * number)
    one = tmp_path / "ACC1B_2008-01-01_A_02.dat"
    command = [sys.executable, "-c", CODE, str(tmp_path), str(one)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    steps, at_open, value, at_point, heavy = json.loads(done.stdout)
    assert steps == 60 * 86400
    # its header says whether the data are simulated
    assert at_open == [one.name]
    assert abs(value - 1e-9 * (3300 + 7.1)) < 1e-18
    assert at_point == ["ACC1B_2008-02-03_B_02.dat"]
    assert heavy == []
