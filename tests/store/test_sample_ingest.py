"""The commands on the official sample files of 2003-09-14."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from gracelstm_xr import l1b
from gracelstm_xr.cli import main
from gracelstm_xr.store.read import open_store

DAY = "2003-09-14"


@pytest.fixture(scope="module")
def sample(shared_data: Path) -> Path:
    return shared_data / "jpl_sample"


@pytest.fixture(scope="module")
def store(sample: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sample") / "grace.zarr"
    assert main(["ingest", str(sample), str(path), "--quiet"]) == 0
    return path


def test_ingest_keeps_every_record_of_the_day(sample: Path, store: Path) -> None:
    ds = open_store(store)
    assert ds["satellite"].values.tolist() == ["A", "B"]
    assert ds.sizes["time"] == 86400
    sources = {
        "lin_accl": "ACC1B_{}_A_00.dat",
        "position": "GNV1B_{}_B_00.dat",
        "quaternion": "SCA1B_{}_B_00.dat",
    }
    for name, pattern in sources.items():
        file = l1b.read(sample / pattern.format(DAY))
        letter = file.satellite
        midnight = np.datetime64(DAY, "ns") - np.datetime64("2000-01-01T12:00:00", "ns")
        second = (file.time_ns - midnight.astype(int)) / 1e9
        inside = (second >= 0) & (second < 86400) & (second % 1 == 0)
        row = ds[name].sel(satellite=letter).values
        np.testing.assert_array_equal(
            row[second[inside].astype(int)], file.columns[name][inside]
        )
        assert np.isfinite(row[:, 0]).sum() == np.unique(second[inside]).size


def test_physics_of_the_sample(store: Path) -> None:
    """Numbers a geodesist knows: orbit, attitude, and the size of the accelerations."""
    ds = open_store(store).compute()
    radius = np.sqrt((ds["position"] ** 2).sum("axis", skipna=False))
    assert 6.80e6 < float(radius.min()) < float(radius.max()) < 6.90e6
    speed = np.sqrt((ds["velocity"] ** 2).sum("axis", skipna=False))
    assert 7.2e3 < float(speed.min()) < float(speed.max()) < 7.9e3
    both = ds["position"].dropna("time")
    apart = np.sqrt(((both[0] - both[1]) ** 2).sum("axis"))
    assert 150e3 < float(apart.min()) < float(apart.max()) < 300e3
    norm = np.sqrt((ds["quaternion"] ** 2).sum("quaternion_component", skipna=False))
    assert float(abs(norm - 1).max()) < 1e-9
    mean = ds["lin_accl"].sel(satellite="A").mean("time").values
    # TN-02 calibrates with biases of -1.2, 29 and -0.6 um s-2, which it adds
    np.testing.assert_allclose(mean, [1.2e-6, -2.9e-5, 0.6e-6], rtol=0.2)


def test_store_says_what_the_files_held(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ds = open_store(store)
    # 60 in each of ACC1B A, GNV1B and SCA1B A and B, 58 in THR1B A
    assert ds.attrs["records"] == 5 * 60 + 58
    assert ds.attrs["duplicate_epochs"] == 0
    assert ds.attrs["unreadable_files"] == 0
    # GNV1B of RL00 starts a minute before midnight
    assert ds.attrs["overlap_records"] == 2
    assert main(["info", str(store)]) == 0
    told = capsys.readouterr().out
    assert f"{DAY}T00:00:00 to {DAY}T23:59:59 GPS (1 day)" in told
    assert "files:      358 records, 2 records outside their day" in told
    assert "missing:    A 99.9 %, B 100 %" in told


def test_gaps_of_the_sample(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The accelerometer file of A ends after a minute, B has none."""
    assert main(["gaps", str(store)]) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines()[1:]]
    assert rows == [
        ["A", f"{DAY}T00:01:00", "2003-09-15T00:00:00", "86340"],
        ["B", f"{DAY}T00:00:00", "2003-09-15T00:00:00", "86400"],
    ]


def test_export_of_the_sample(sample: Path, store: Path, tmp_path: Path) -> None:
    for kind in ("netcdf", "l1b"):
        command = ["export", str(store), str(tmp_path), "--format", kind, "--quiet"]
        assert main(command) == 0
    netcdf, binary = f"grace_{DAY}_{DAY}.nc", f"ACC1B_{DAY}_A_00.dat"
    assert sorted(p.name for p in tmp_path.iterdir()) == [binary, netcdf]
    ds = open_store(store)
    with xr.open_dataset(tmp_path / netcdf) as back:
        for name in ("lin_accl", "position", "quaternion"):
            same = back[name].transpose(*ds[name].dims)
            np.testing.assert_array_equal(same.values, ds[name].values)
    # the data section of the official file, byte for byte
    official = (sample / binary).read_bytes()[l1b.read_header(sample / binary).nbytes :]
    written = tmp_path / binary
    assert written.read_bytes()[l1b.read_header(written).nbytes :] == official


def test_every_sample_file_has_its_info(
    sample: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["info", str(sample)]) == 0
    assert "ACC1B    00       A                1  2003-09-14" in capsys.readouterr().out
    for path in sorted(sample.glob("*.dat")):
        assert main(["info", str(path)]) == 0
        captured = capsys.readouterr()
        assert f"product:          {path.name[:5]}, binary" in captured.out
        assert "records:          " in captured.out
