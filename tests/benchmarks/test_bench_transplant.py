"""The transplant benchmark on one small archive: its claims hold."""

from __future__ import annotations

import numpy as np
import pytest
from bench_transplant import measure, table


@pytest.mark.benchmark
@pytest.mark.slow
def test_transplant_scores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench_transplant.LEVELS", {"active": 110.0})
    scores = measure(2, 1, ["grace"])
    rms = np.sqrt(scores["square"].sel(mission="grace", level="active"))
    full, simple, restored = (
        rms.sel({"method": name}) for name in ("full", "simple", "remove-restore")
    )
    assert (full.sel(part="firing") < 0.7 * simple.sel(part="firing")).all()
    assert (restored.sel(part="all") <= 1.02 * full.sel(part="all")).all()
    assert "| grace, active | full |" in table(scores)
