"""The recipes run, and their own check of their product passes."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
HOUR = ROOT.parent / "shared/data/digitised/grace_2005-05-30_lin_accl_x_first_hour.csv"


@pytest.mark.lstm
@pytest.mark.slow
def test_real_hour_beats_interpolation():
    if not HOUR.exists():
        pytest.skip("the digitised hour is not beside the checkout")
    done = subprocess.run(
        [sys.executable, ROOT / "recipes/real_hour.py", HOUR, "--lengths", "300"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.startswith("Real data (digitised figure), x axis, A to B")
    row = next(line for line in done.stdout.splitlines() if line.strip()[:3] == "300")
    lag, linear, cubic, transplant, _, lstm, best = map(float, row.split()[2:])
    # 21.2 s by an independent cross-correlation; the readings are 3.8 s apart
    assert lag == pytest.approx(-21.2, abs=2.0)
    assert lstm < 0.5 * min(linear, cubic)
    assert max(transplant, best) < 5.0


@pytest.mark.slow
def test_real_hour_names_a_missing_file(tmp_path):
    done = subprocess.run(
        [sys.executable, ROOT / "recipes/real_hour.py", tmp_path / "none.csv"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "found no file" in done.stdout
    assert "Traceback" not in done.stderr
