"""The model file: same numbers after a trip to disk, one line when it is broken."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from gracelstm_xr.core.labels import length_label
from gracelstm_xr.core.time import EPOCH
from gracelstm_xr.errors import ModelFileError
from gracelstm_xr.filling.conditions import DISTANCES, FARTHEST, Grid
from gracelstm_xr.filling.fill import fill
from gracelstm_xr.filling.model import FittedModel, load_model
from gracelstm_xr.filling.pools import Calibration
from gracelstm_xr.filling.summary import expected_errors

pytestmark = pytest.mark.lstm

SCRIPT = """
import sys
import numpy as np
import xarray as xr
from gracelstm_xr.lstm import fill, load_model
from gracelstm_xr.core.index import RegularAxis, regular_coords
ds = xr.open_dataset(sys.argv[1], engine="netcdf4").load()
start = ds["time"].values[0].astype("M8[ns]")
axis = RegularAxis(start, np.timedelta64(10**9, "ns"), ds.sizes["time"])
ds = ds.drop_vars("time").assign_coords(regular_coords(axis))
filled = fill(ds, load_model(sys.argv[2]))
np.save(sys.argv[3], filled["lin_accl_filled"].values)
"""


@pytest.fixture(scope="module")
def path(model: FittedModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return model.save(tmp_path_factory.mktemp("model") / "m.gracelstm")


@pytest.fixture(scope="module")
def short(twin: xr.Dataset) -> xr.Dataset:
    return twin.isel(time=slice(20_000, 60_000))


def test_a_fresh_process_fills_the_same(
    path: Path, model: FittedModel, short: xr.Dataset, tmp_path: Path
) -> None:
    names = ["lin_accl", "position", "velocity", "quaternion", "thruster_on_time"]
    plain = xr.Dataset(
        {n: (short[n].dims, short[n].values) for n in names},
        coords={
            "time": short["time"].values,
            "satellite": ["A", "B"],
            "axis": list("xyz"),
        },
    )
    plain.to_netcdf(tmp_path / "in.nc")
    subprocess.run(
        [sys.executable, "-c", SCRIPT, tmp_path / "in.nc", path, tmp_path / "out.npy"],
        check=True,
        timeout=200,
    )
    expected = fill(short, model)["lin_accl_filled"].values
    np.testing.assert_array_equal(np.load(tmp_path / "out.npy"), expected)


def test_everything_comes_back(path: Path, model: FittedModel) -> None:
    found = load_model(path)
    assert found.settings == model.settings
    assert found.split == model.split
    assert found.networks == model.networks
    assert found.info == model.info
    assert repr(found) == repr(model)
    xr.testing.assert_identical(found.history, model.history)
    xr.testing.assert_allclose(found.scores, model.scores, rtol=0, atol=0)
    a, b = found.recipients["B"], model.recipients["B"]
    assert a.pair == b.pair
    assert list(a.baselines) == list(b.baselines)
    assert a.calibration is not None
    assert b.calibration is not None
    for one, two in zip(a.calibration.pools, b.calibration.pools, strict=True):
        assert one.methods == two.methods
        np.testing.assert_array_equal(one.shares, two.shares)
        np.testing.assert_array_equal(one.spread.sigma, two.spread.sigma)
    assert [t.name for t in a.tracks] == ["twin", "single"]
    for one, two in zip(a.tracks, b.tracks, strict=True):
        np.testing.assert_array_equal(one.regression.mean, two.regression.mean)
        np.testing.assert_array_equal(one.slow.drift.power, two.slow.drift.power)


def test_nothing_is_pickled_and_nothing_left_over(path: Path) -> None:
    assert [p.name for p in path.parent.iterdir()] == [path.name]
    with zipfile.ZipFile(path) as file:
        assert file.testzip() is None
        assert set(file.namelist()) == {
            "model.json",
            "arrays.npz",
            "twin-0.keras",
            "single-0.keras",
        }
        text = json.loads(file.read("model.json"))
    assert text["format"] == "gracelstm_xr model"
    assert text["settings"]["epochs"] == 2


def test_pickles_for_a_cluster(model: FittedModel, short: xr.Dataset) -> None:
    copy = pickle.loads(pickle.dumps(model))
    part = short.isel(time=slice(15_000, 19_000))
    np.testing.assert_array_equal(
        fill(part, copy)["lin_accl_filled"].values,
        fill(part, model)["lin_accl_filled"].values,
    )


def one_line(path: Path, match: str) -> None:
    with pytest.raises(ModelFileError, match=match) as error:
        load_model(path)
    assert "\n" not in str(error.value)
    assert path.name in str(error.value)


@pytest.mark.parametrize("size", [0, 10, 2000, -40])
def test_truncated(path: Path, tmp_path: Path, size: int) -> None:
    broken = tmp_path / "broken.gracelstm"
    broken.write_bytes(path.read_bytes()[:size])
    one_line(broken, "cannot be read")


def test_flipped_bytes(path: Path, tmp_path: Path) -> None:
    data = bytearray(path.read_bytes())
    broken = tmp_path / "broken.gracelstm"
    with zipfile.ZipFile(path) as file:
        info = file.getinfo("twin-0.keras")
    at = info.header_offset + 2000
    data[at : at + 20] = bytes(20)
    broken.write_bytes(data)
    one_line(broken, "expected")


def rewritten(path: Path, target: Path, **parts: bytes) -> Path:
    keys = {"model.json": "model", "arrays.npz": "arrays", "twin-0.keras": "network"}
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            new.writestr(name, parts.get(keys.get(name, ""), old.read(name)))
    return target


def test_another_network(path: Path, tmp_path: Path) -> None:
    one_line(rewritten(path, tmp_path / "x.gracelstm", network=b"no"), "checksum")


def test_another_kind_or_a_newer_version(path: Path, tmp_path: Path) -> None:
    one_line(rewritten(path, tmp_path / "x.gracelstm", model=b"{}"), "kind")
    with zipfile.ZipFile(path) as file:
        text = json.loads(file.read("model.json"))
    newer = json.dumps(text | {"format_version": 99}).encode()
    one_line(rewritten(path, tmp_path / "y.gracelstm", model=newer), "99")


@pytest.mark.parametrize("missing", ["split", "settings", "networks", "recipients"])
def test_parts_missing_inside(path: Path, tmp_path: Path, missing: str) -> None:
    with zipfile.ZipFile(path) as file:
        text = json.loads(file.read("model.json"))
    del text[missing]
    broken = json.dumps(text).encode()
    one_line(rewritten(path, tmp_path / "x.gracelstm", model=broken), "expected")


def test_arrays_missing_inside(path: Path, tmp_path: Path) -> None:
    import io

    packed = io.BytesIO()
    np.savez(packed, nothing=np.zeros(1))
    broken = rewritten(path, tmp_path / "x.gracelstm", arrays=packed.getvalue())
    one_line(broken, "expected")


def test_not_a_model_at_all(tmp_path: Path) -> None:
    other = tmp_path / "notes.gracelstm"
    other.write_text("not a model")
    one_line(other, "cannot be read")
    with pytest.raises(FileNotFoundError, match=r"nowhere"):
        load_model(tmp_path / "nowhere.gracelstm")
    with pytest.raises(ModelFileError, match="cannot be read"):
        load_model(tmp_path)


def test_a_window_does_not_depend_on_its_company(model: FittedModel) -> None:
    """Beyond rounding; the same windows give the same bits."""
    count = 6 + len(model.info["channels"].split())
    windows = np.random.default_rng(0).normal(size=(70, 36, count)).astype("f4")
    whole = model.predict("twin", windows)
    np.testing.assert_array_equal(model.predict("twin", windows), whole)
    alone = model.predict("twin", windows[5:6])[0]
    np.testing.assert_allclose(alone, whole[5], rtol=0, atol=1e-6)
    few = model.predict("twin", windows[:9])
    np.testing.assert_allclose(few[5], alone, rtol=0, atol=1e-6)
    np.testing.assert_array_equal(model.predict("twin", windows[::-1])[::-1], whole)


def test_threads_predict_at_once(model: FittedModel) -> None:
    """Built once, called by eight threads without a lock, the same bits."""
    from concurrent.futures import ThreadPoolExecutor

    from gracelstm_xr.lstm import trained

    count = 6 + len(model.info["channels"].split())
    rng = np.random.default_rng(1)
    batches = [
        rng.normal(size=(size, 36, count)).astype("f4") for size in (3, 64, 17, 90) * 6
    ]
    trained._networks.clear()
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda b: model.predict("twin", b), batches))
    assert len(trained._networks) == 1
    for batch, values in zip(batches, found, strict=True):
        np.testing.assert_array_equal(values, model.predict("twin", batch))


def test_a_summary_tells_spans_errors_and_gaps(model: FittedModel) -> None:
    told = model.summary().splitlines()
    assert told[0] == repr(model)
    stop = np.datetime_as_string(
        EPOCH + np.timedelta64(round(model.split.train[1]), "s")
    )
    assert any(line.startswith("train:") and stop[:19] in line for line in told)
    for letter, recipient in model.recipients.items():
        first = told.index(f"satellite {letter} from {recipient.pair.donor}")
        for axis, line in zip(range(3), told[first + 1 :], strict=False):
            assert line.startswith(f"  {'xyz'[axis]}: network ")
            for length, sigma in expected_errors(recipient, axis).items():
                assert f"{1e9 * sigma:.2g} in {length_label(length)}" in line


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([], "network not used"),
        ([0], "in gaps of 10 s;"),
        ([0, 1], "in gaps of 10 s to 20 s;"),
        ([0, -1], "in gaps of 10 s and more;"),
        ([-1], "in gaps without end;"),
    ],
)
def test_a_summary_names_the_gaps_of_the_network(
    model: FittedModel, rows: list[int], words: str
) -> None:
    recipient = model.recipients["B"]
    assert recipient.calibration is not None
    name = recipient.names(recipient.tracks[0])["lstm"]
    lengths = np.array([10.0, 20.0, 86_400.0, 2 * FARTHEST])
    grid = Grid(lengths, np.array(DISTANCES))
    shares = np.zeros((2, 4, len(DISTANCES), 3, 1))
    shares[:, rows] = 1.0
    first = recipient.calibration.pools[0]
    pool = replace(first, methods=(name,), grid=grid, shares=shares)
    network = replace(model.networks["twin"], gain=np.ones(3))
    made = replace(
        model,
        networks={**model.networks, "twin": network},
        recipients={"B": recipient.with_calibration(Calibration((pool,), {}))},
    )
    lines = [line for line in made.summary().splitlines() if line.startswith("  ")]
    assert len(lines) == 3
    assert all(words in line for line in lines)
