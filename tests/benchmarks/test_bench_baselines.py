"""The benchmark of the baselines on a tiny size: it runs, and orders them rightly."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from bench_baselines import rows, score

from gracelstm_xr.baselines.base import BASELINES


@pytest.mark.benchmark
def test_table_of_baselines(twin: xr.Dataset) -> None:
    errors = score(twin, test_days=0.6, lengths=(30.0, 300.0, 1800.0), count=3)
    assert list(errors.errors) == list(BASELINES)
    table = list(rows(errors))
    assert len(table) == 2 + len(BASELINES)
    assert table[0] == "| method | 30 s | 300 s | 30 min |"
    assert all(row.count("|") == 5 for row in table)
    x = {name: errors.rms(name, 1800.0)[0] for name in BASELINES}
    assert all(np.isfinite(list(x.values())))
    # simulated: the twin knows the drag, the edges do not
    assert max(x["transplant"], x["ridge"]) < 0.3 * min(x["hold"], x["linear"])
