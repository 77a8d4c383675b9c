"""A store as others read it: plain xarray, zarr-python, and tensorstore."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
import zarr

from gracelstm_xr.store.check import faults_in
from gracelstm_xr.store.location import Target
from gracelstm_xr.store.read import open_store
from gracelstm_xr.store.write import to_zarr

DAY = 86_400


@pytest.fixture(scope="module")
def written(make_grid: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Three simulated days in shards of two; B lacks the last two, A a few minutes."""
    gaps = {"A": [(1000, 1400)], "B": [(DAY, 3 * DAY)]}
    ds = make_grid(size=3 * DAY, gaps=gaps)
    path = tmp_path_factory.mktemp("readers") / "a.zarr"
    to_zarr(ds, path, shard_days=2)
    return ds, path


@pytest.mark.filterwarnings("error")
def test_plain_xarray(written: Any) -> None:
    ds, path = written
    plain = xr.open_zarr(path)
    xr.testing.assert_identical(plain, xr.open_zarr(path, consolidated=False))
    assert set(plain.data_vars) == set(ds.data_vars)
    np.testing.assert_array_equal(plain.time.values, ds.time.values)
    for name, variable in ds.variables.items():
        assert plain[name].dims == variable.dims
        np.testing.assert_array_equal(plain[name].values, variable.values)
        assert set(plain[name].attrs) == set(variable.attrs)
        for key, value in variable.attrs.items():
            np.testing.assert_array_equal(plain[name].attrs[key], value)
    day = plain.lin_accl.sel(time="2008-01-02", satellite="A")
    np.testing.assert_array_equal(day.values, ds.lin_accl.values[0, DAY : 2 * DAY])


def test_zarr_python(written: Any) -> None:
    ds, path = written
    group = zarr.open_group(path, mode="r")
    assert group.metadata.zarr_format == 3
    assert set(group.array_keys()) == set(map(str, ds.variables))
    for name in ds.data_vars:
        np.testing.assert_array_equal(group[name][:], ds[name].values)
        assert group[name].metadata.dimension_names == ds[name].dims
    # 2008-01-01 is 2921.5 days past the epoch
    seconds = group["time"][:]
    np.testing.assert_array_equal(seconds, 2921.5 * DAY + np.arange(3 * DAY))
    assert group["time"].attrs["units"] == "seconds since 2000-01-01T12:00:00"
    assert list(group["satellite"][:]) == ["A", "B"]


def test_tensorstore(written: Any) -> None:
    """An independent implementation of Zarr v3 (C++) reads shards and codecs."""
    ts = pytest.importorskip("tensorstore")
    ds, path = written

    def read(name: str) -> Any:
        kvstore = {"driver": "file", "path": str(path / name)}
        return ts.open({"driver": "zarr3", "kvstore": kvstore}, open=True).result()

    for name in ds.data_vars:
        array = read(name)
        np.testing.assert_array_equal(array.read().result(), ds[name].values)
        labels = array.spec().to_json()["metadata"]["dimension_names"]
        assert tuple(labels) == ds[name].dims
    part = read("lin_accl")[0, DAY + 5 : DAY + 9].read().result()
    np.testing.assert_array_equal(part, ds.lin_accl.values[0, DAY + 5 : DAY + 9])
    assert read("time")[DAY].read().result() == 2922.5 * DAY


def test_what_holds_nothing_is_not_on_disk(written: Any) -> None:
    _, path = written

    def files(name: str) -> dict[str, int]:
        folder = path / name / "c"
        found = (p for p in folder.rglob("*") if p.is_file())
        return {p.relative_to(folder).as_posix(): p.stat().st_size for p in found}

    for name in ("lin_accl", "acl_res", "ang_accl"):
        assert sorted(files(name)) == ["0/0/0", "0/1/0", "1/0/0"]
    # no flag is set: zeros are the fill value
    assert files("acc_qualflg") == {}
    # of the first shard B has one day, A two
    sizes = files("lin_accl")
    assert 0.4 < sizes["1/0/0"] / sizes["0/0/0"] < 0.6


def test_the_copy_of_metadata_is_never_believed(written: Any, tmp_path: Path) -> None:
    """Another program may change an array and leave the copy in the root as it is."""
    path = shutil.copytree(written[1], tmp_path / "a.zarr")
    assert faults_in(path)[1] == []
    zarr.open_group(path, mode="r+")["acl_res"].attrs["comment"] = "mine"
    assert "comment" not in xr.open_zarr(path)["acl_res"].attrs
    assert open_store(path)["acl_res"].attrs["comment"] == "mine"
    (fault,) = faults_in(path)[1]
    assert fault.startswith("zarr.json holds other metadata of acl_res than")
    # whatever this package writes to the root first drops the copy
    Target.at(path).in_place().group().attrs.update({"note": "growing"})
    with pytest.raises(ValueError, match="Consolidated metadata"):
        xr.open_zarr(path, consolidated=True)
    assert faults_in(path)[1] == []
