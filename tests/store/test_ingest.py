"""Ingest: manifest, second runs, growth, preferences, bad files."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
import zarr
from archives import (
    DAYS,
    PRODUCTS,
    content,
    fill_folder,
    put,
    same_values,
    tree,
    write_file,
    write_tarball,
)

import gracelstm_xr as gx
from gracelstm_xr.errors import GraceWarning, StoreError


@pytest.fixture(autouse=True)
def _fixed_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """History stamps are the only bytes that depend on the time of a run."""
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")


def stamps(store: Path) -> dict[str, int]:
    return {str(p): p.stat().st_mtime_ns for p in store.rglob("*")}


def test_store_equals_archive(tmp_path: Path) -> None:
    folder = fill_folder(tmp_path / "in")
    done = put(folder, tmp_path / "a.zarr")
    same_values(tmp_path / "a.zarr", folder)
    assert (done.shards, done.files, done.changed, done.days) == (4, 56, 56, 7)
    assert done.counts["records"] == 56 * 60
    # the first minute of every day is there, so that every day has one gap
    assert dict(done.gaps) == {"A": 7, "B": 7}
    assert done.read == sum(p.stat().st_size for p in folder.iterdir())
    assert [p.name for p in tmp_path.iterdir() if p.name != "in"] == ["a.zarr"]


def test_both_doors_write_the_same_bytes(tmp_path: Path) -> None:
    folder = fill_folder(tmp_path / "in", DAYS[:3])
    put(folder, tmp_path / "a.zarr")
    gx.open_archive(folder).grace.to_zarr(tmp_path / "b.zarr", shard_days=2)
    assert tree(tmp_path / "a.zarr") == tree(tmp_path / "b.zarr")


def test_the_manifest_names_every_file(tmp_path: Path) -> None:
    folder = fill_folder(tmp_path / "in", DAYS[:2], "A")
    bad = folder / f"GNV1B_{DAYS[1]}_A_02.dat"
    bad.write_bytes(b"Dear diary\n" * 30)
    put(folder, tmp_path / "a.zarr")
    table = gx.read_manifest(tmp_path / "a.zarr").set_index("name")
    assert sorted(table.index) == sorted(p.name for p in folder.iterdir())
    for path in folder.iterdir():
        row = table.loc[path.name]
        assert row["source"] == str(path)
        assert row["size"] == path.stat().st_size
        assert row["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
        assert (row["day"], row["satellite"]) == (path.name[6:16], "A")
        assert (row["product"], row["release"]) == (path.name[:5], "02")
        assert row["records"] == (0 if path == bad else 60)
        assert row["used"] == (path != bad)
    assert "not a Level-1B file" in table.loc[bad.name, "problem"]
    stored = gx.open_store(tmp_path / "a.zarr")
    assert stored.attrs["unreadable_files"] == 1
    assert bad.name in stored.encoding["problems"][0]


def test_a_second_run_touches_nothing(tmp_path: Path) -> None:
    folder = fill_folder(tmp_path / "in", DAYS[:3])
    (folder / f"GNV1B_{DAYS[1]}_A_02.dat").write_bytes(b"Dear diary\n" * 30)
    first = put(folder, tmp_path / "a.zarr")
    before = stamps(tmp_path / "a.zarr")
    again = put(folder, tmp_path / "a.zarr")
    assert (again.shards, again.files, again.read) == (0, 0, 0)
    assert again.counts == first.counts
    assert again.problems == first.problems
    assert stamps(tmp_path / "a.zarr") == before


def test_a_changed_file_replaces_its_day(tmp_path: Path) -> None:
    folder = fill_folder(tmp_path / "in", DAYS[:5])
    put(folder, tmp_path / "a.zarr")
    before = stamps(tmp_path / "a.zarr")
    path = write_file(folder, "ACC1B", DAYS[2], "B", range(30), value=7.0)
    os.utime(path, ns=(1, 10**18))
    done = put(folder, tmp_path / "a.zarr")
    assert (done.shards, done.files, done.changed) == (1, 1, 1)
    same_values(tmp_path / "a.zarr", folder)
    after = stamps(tmp_path / "a.zarr")
    changed = {k.split("a.zarr/")[1] for k in before if before[k] != after[k]}
    files = {k for k in changed if (tmp_path / "a.zarr" / k).is_file()}
    names = ("lin_accl", "ang_accl", "acl_res", "acc_qualflg")
    parts = {f"{n}/c/1/1" + ("" if n == "acc_qualflg" else "/0") for n in names}
    assert files == {"zarr.json", "manifest/2008-01-03/zarr.json", *parts}


def test_a_touched_file_is_read_but_not_written(tmp_path: Path) -> None:
    folder = fill_folder(tmp_path / "in", DAYS[:2])
    put(folder, tmp_path / "a.zarr")
    os.utime(folder / f"ACC1B_{DAYS[0]}_A_02.dat", ns=(1, 10**18))
    before = tree(tmp_path / "a.zarr")
    arrays = stamps(tmp_path / "a.zarr" / "lin_accl")
    done = put(folder, tmp_path / "a.zarr")
    assert (done.files, done.changed) == (1, 0)
    assert stamps(tmp_path / "a.zarr" / "lin_accl") == arrays
    changed = {k for k, v in tree(tmp_path / "a.zarr").items() if before[k] != v}
    assert changed == {"manifest/2008-01-01/zarr.json", "zarr.json"}
    assert put(folder, tmp_path / "a.zarr").shards == 0


def test_moved_files_are_known_by_their_content(tmp_path: Path) -> None:
    folder = fill_folder(tmp_path / "in", DAYS[:2], "A")
    put(folder, tmp_path / "a.zarr")
    folder.rename(tmp_path / "moved")
    assert put(tmp_path / "moved", tmp_path / "a.zarr").shards == 0


def test_a_good_day_outlives_its_file(tmp_path: Path) -> None:
    """A file that becomes unreadable does not take its day out of the store."""
    folder = fill_folder(tmp_path / "in", DAYS[:2], "A")
    put(folder, tmp_path / "a.zarr")
    kept = gx.open_store(tmp_path / "a.zarr").load()
    bad = folder / f"ACC1B_{DAYS[0]}_A_02.dat"
    bad.write_bytes(b"Dear diary\n" * 30)
    done = put(folder, tmp_path / "a.zarr")
    assert done.counts["unreadable_files"] == 1
    assert bad.name in done.problems[0]
    np.testing.assert_array_equal(
        gx.open_store(tmp_path / "a.zarr")["lin_accl"], kept["lin_accl"]
    )
    rows = gx.read_manifest(tmp_path / "a.zarr")
    assert sorted(rows[rows.name == bad.name].used) == [False, True]
    assert put(folder, tmp_path / "a.zarr").shards == 0
    # the file comes back
    fill_folder(folder, DAYS[:1], "A", ("ACC1B",))
    done = put(folder, tmp_path / "a.zarr")
    assert done.counts["unreadable_files"] == 0


@pytest.mark.parametrize(
    "steps",
    [
        [{"days": DAYS[:3]}, {"days": DAYS[3:]}],
        [{"days": DAYS[5:]}, {"days": DAYS[:5]}],
        [{"days": DAYS[:1]}, {"days": DAYS[5:]}, {"days": DAYS[2:4]}],
        [{"products": ("ACC1B",)}, {"products": ("THR1B", "GNV1B", "SCA1B")}],
        [{"satellites": "A"}, {"satellites": "B"}],
        [{"satellites": "B"}, {"satellites": "A"}],
        [{"satellites": "B", "days": DAYS[3:]}, {"satellites": "A", "days": DAYS[:5]}],
    ],
    ids=["later", "earlier", "between", "products", "behind", "before", "both"],
)
def test_growing_equals_one_ingest(tmp_path: Path, steps: list[Any]) -> None:
    for number, step in enumerate(steps):
        fill_folder(tmp_path / str(number), **step)
        done = put(tmp_path / str(number), tmp_path / "a.zarr")
        assert done.changed == done.files > 0
    folders = [tmp_path / str(number) for number in range(len(steps))]
    put(folders, tmp_path / "b.zarr")
    same_values(tmp_path / "a.zarr", folders)
    grown, whole = (gx.open_store(tmp_path / n) for n in ("a.zarr", "b.zarr"))
    xr.testing.assert_identical(
        grown.drop_attrs(deep=False).load(), whole.drop_attrs(deep=False).load()
    )
    differ = {k for k in whole.attrs if grown.attrs[k] != whole.attrs[k]}
    assert differ == {"history"}
    a, b = tree(tmp_path / "a.zarr"), tree(tmp_path / "b.zarr")
    assert {k for k in a.keys() | b.keys() if a.get(k) != b.get(k)} == {"zarr.json"}
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(
        ["a.zarr", "b.zarr", *(f.name for f in folders)]
    )


def test_both_missions_in_one_store(tmp_path: Path) -> None:
    fill_folder(tmp_path / "in", ["2017-06-28"], "AB", ("ACC1B",))
    put(tmp_path / "in", tmp_path / "a.zarr")
    for satellite in "CD":
        write_file(
            tmp_path / "fo",
            "ACC1B",
            "2018-06-02",
            satellite,
            release="04",
            extension="txt",
        )
    done = put(tmp_path / "fo", tmp_path / "a.zarr")
    assert done.changed == 2
    store = gx.open_store(tmp_path / "a.zarr")
    assert store["satellite"].values.tolist() == ["A", "B", "C", "D"]
    assert store.sizes["time"] == 340 * 86_400
    assert store.attrs["title"] == "GRACE and GRACE-FO Level-1B data"
    assert store.attrs["product_version"] == "02, 04"
    same_values_of = store["lin_accl"].sel(time="2018-06-02", satellite="D")
    assert int(same_values_of.notnull().sum()) == 180
    shards = [p for p in tree(tmp_path / "a.zarr") if p.startswith("lin_accl/c/")]
    assert shards == [f"lin_accl/c/{i}/0/0" for i in "01"] + [
        f"lin_accl/c/{i}/169/0" for i in "23"
    ]


def test_the_preferred_release_counts_whichever_came_first(tmp_path: Path) -> None:
    for release, value in (("02", 2.0), ("03", 3.0)):
        for day in DAYS[:2]:
            write_file(
                tmp_path / release, "ACC1B", day, "A", release=release, value=value
            )
    for order in (("02", "03"), ("03", "02")):
        store = tmp_path / f"{order[0]}.zarr"
        for release in order:
            put(tmp_path / release, store)
        first = gx.open_store(store)["lin_accl"].isel(satellite=0, time=0, axis=0)
        assert float(first) == 3e-9
        assert put([tmp_path / "02", tmp_path / "03"], store).shards == 0
    # another order, said in so many words, replaces
    done = put([tmp_path / "02", tmp_path / "03"], store, releases=["02", "03"])
    assert done.changed == 2
    assert float(gx.open_store(store)["lin_accl"][0, 0, 0]) == 2e-9


def test_a_transplant_fills_in_but_never_replaces(tmp_path: Path) -> None:
    for day in DAYS[:2]:
        write_file(tmp_path / "in", "ACC1B", day, "B", value=1.0)
    for day in DAYS[1:4]:
        write_file(tmp_path / "act", "ACT1B", day, "B", value=2.0)
    put(tmp_path / "in", tmp_path / "a.zarr")
    put(tmp_path / "act", tmp_path / "a.zarr", products=["ACT1B"])
    firsts = gx.open_store(tmp_path / "a.zarr")["lin_accl"][0, ::86_400, 0]
    np.testing.assert_array_equal(firsts.values, [1e-9, 1e-9, 2e-9, 2e-9])
    both = [tmp_path / "in", tmp_path / "act"]
    put(both, tmp_path / "a.zarr", products=["ACT1B", "ACC1B"])
    firsts = gx.open_store(tmp_path / "a.zarr")["lin_accl"][0, ::86_400, 0]
    np.testing.assert_array_equal(firsts.values, [1e-9, 2e-9, 2e-9, 2e-9])


def test_a_day_cut_by_a_limit_is_completed_later(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    for day in DAYS[:3]:
        write_file(folder, "ACC1B", day, "A", range(0, 86_400, 600))
    put(folder, tmp_path / "a.zarr", start=f"{DAYS[0]}T06", stop=f"{DAYS[1]}T12:00")
    put(folder, tmp_path / "a.zarr", start=f"{DAYS[0]}T06")
    same_values(tmp_path / "a.zarr", folder, start=f"{DAYS[0]}T06")
    put(folder, tmp_path / "a.zarr")
    same_values(tmp_path / "a.zarr", folder)


def test_tarballs_are_read_once_and_absent_members_remembered(tmp_path: Path) -> None:
    for day in DAYS[:3]:
        members = [content(p, day, s) for p in PRODUCTS[:3] for s in "AB"]
        write_tarball(tmp_path / "in", f"grace_1B_{day}_02.tar.gz", members)
    done = put(tmp_path / "in", tmp_path / "a.zarr")
    assert done.counts["absent_files"] == 6
    assert done.counts["records"] == 18 * 60
    same_values(tmp_path / "a.zarr", tmp_path / "in", products=PRODUCTS[:3])
    assert put(tmp_path / "in", tmp_path / "a.zarr").shards == 0
    rows = gx.read_manifest(tmp_path / "a.zarr")
    name, data = content("ACC1B", DAYS[0], "A")
    row = rows[rows.name == name].iloc[0]
    assert row["sha256"] == hashlib.sha256(data).hexdigest()
    assert row["size"] == len(data)


def test_wrong_checksums_are_reported(tmp_path: Path) -> None:
    good = content("ACC1B", "2018-06-02", "C", release="04", extension="txt")
    other = content("ACC1B", "2018-06-02", "D", release="04", extension="txt")
    sums = f"{'0' * 32}  {good[0]}\n".encode()
    sums += f"{hashlib.md5(other[1]).hexdigest()}  {other[0]}\n".encode()
    name = "gracefo_1B_2018-06-02_RL04.ascii.noLRI.tgz"
    write_tarball(tmp_path / "in", name, [good, other, ("checksum", sums)])
    done = put(tmp_path / "in", tmp_path / "a.zarr", products=["ACC1B"])
    assert done.counts["unreadable_files"] == 1
    assert f"wrong checksum of {good[0]}" in done.problems[0]
    seen = (
        gx.open_store(tmp_path / "a.zarr")["lin_accl"].notnull().sum(["time", "axis"])
    )
    assert seen.values.tolist() == [0, 180]


def test_strict_stops_and_goes_on(tmp_path: Path) -> None:
    folder = fill_folder(tmp_path / "in", DAYS[:4], "A")
    bad = folder / f"ACC1B_{DAYS[3]}_A_02.dat"
    good = bad.read_bytes()
    bad.write_bytes(b"Dear diary\n" * 30)
    import dask

    with dask.config.set(scheduler="sync"), pytest.raises(ValueError, match=bad.name):
        put(folder, tmp_path / "a.zarr", strict=True)
    assert not (tmp_path / "a.zarr").exists()
    bad.write_bytes(good)
    done = put(folder, tmp_path / "a.zarr", strict=True)
    assert done.shards == 1
    put(folder, tmp_path / "b.zarr")
    a, b = tree(tmp_path / "a.zarr"), tree(tmp_path / "b.zarr")
    rows = {k for k in a.keys() | b.keys() if a.get(k) != b.get(k)}
    assert rows == set()


def test_other_sources_do_not_go_on_with_an_interrupted_run(tmp_path: Path) -> None:
    import dask

    wrong = fill_folder(tmp_path / "wrong", DAYS[:4], "A")
    (wrong / f"ACC1B_{DAYS[3]}_A_02.dat").write_bytes(b"Dear diary\n" * 30)
    with (
        dask.config.set(scheduler="sync"),
        pytest.raises(ValueError, match="not a Level-1B file"),
    ):
        put(wrong, tmp_path / "a.zarr", strict=True)
    assert (tmp_path / ".a.zarr.part").exists()
    right = fill_folder(tmp_path / "right", DAYS[2:4], "A")
    put(right, tmp_path / "a.zarr")
    same_values(tmp_path / "a.zarr", right)


def test_stores_of_another_kind_are_refused(tmp_path: Path, make_grid: Any) -> None:
    folder = fill_folder(tmp_path / "in", DAYS[:1], "A")
    make_grid(size=1000).grace.to_zarr(tmp_path / "filled.zarr")
    before = tree(tmp_path / "filled.zarr")
    with pytest.raises(StoreError, match="was not made from Level-1B files"):
        put(folder, tmp_path / "filled.zarr")
    assert tree(tmp_path / "filled.zarr") == before
    with pytest.raises(StoreError, match="is not a Zarr store"):
        put(folder, folder)
    with pytest.raises(StoreError, match="mode is 'x'"):
        put(folder, tmp_path / "b.zarr", mode="x")
    put(folder, tmp_path / "filled.zarr", mode="w")
    same_values(tmp_path / "filled.zarr", folder)
    with pytest.raises(StoreError, match="exists already"):
        put(folder, tmp_path / "filled.zarr", mode="w-")


def test_reading_a_store_that_is_growing(tmp_path: Path) -> None:
    """Until the new days are complete, a reader sees the store as it was."""
    folder = fill_folder(tmp_path / "in", DAYS[:2], "A")
    put(folder, tmp_path / "a.zarr")
    before = gx.open_store(tmp_path / "a.zarr").load()
    root = zarr.open_group(tmp_path / "a.zarr", mode="r+")
    root.attrs["grace_store"] = {**root.attrs["grace_store"], "pending": True}
    for name, array in root.arrays():
        if name == "time" or name in before.data_vars:
            axis = array.metadata.dimension_names.index("time")
            shape = list(array.shape)
            shape[axis] += 86_400
            array.resize(tuple(shape))
    with pytest.warns(GraceWarning, match="run it again to complete"):
        during = gx.open_store(tmp_path / "a.zarr")
    xr.testing.assert_identical(during.load(), before)


def test_quantised_stores_grow_and_decode_everywhere(tmp_path: Path) -> None:
    folder = fill_folder(tmp_path / "in", DAYS[:3], "A")
    put(folder, tmp_path / "a.zarr", quantise="1e-13")
    fill_folder(folder, DAYS[3:5], "A")
    write_file(folder, "ACC1B", DAYS[0], "A", range(30), value=5.1234567)
    os.utime(folder / f"ACC1B_{DAYS[0]}_A_02.dat", ns=(1, 10**18))
    put(folder, tmp_path / "a.zarr")
    put(folder, tmp_path / "b.zarr", quantise=1e-13)
    a, b = tree(tmp_path / "a.zarr"), tree(tmp_path / "b.zarr")
    assert {k for k in a.keys() | b.keys() if a.get(k) != b.get(k)} == {"zarr.json"}
    exact = gx.open_archive(folder).load()
    for back in (
        gx.open_store(tmp_path / "a.zarr").load(),
        xr.open_zarr(tmp_path / "a.zarr").load(),
    ):
        for name in ("lin_accl", "acl_res"):
            error = np.abs(back[name].values - exact[name].values)
            assert np.nanmax(error) <= 0.5001e-13
            np.testing.assert_array_equal(back[name].isnull(), exact[name].isnull())
        for name in ("ang_accl", "position", "acc_qualflg"):
            np.testing.assert_array_equal(back[name].values, exact[name].values)
    stored = zarr.open_group(tmp_path / "a.zarr", mode="r")["lin_accl"]
    assert stored.dtype == "int32"
    with pytest.raises(StoreError, match="holds accelerations in steps 1e-13"):
        put(folder, tmp_path / "a.zarr", quantise="1e-12")
    lazy = gx.open_store(tmp_path / "a.zarr")
    lazy["lin_accl"] = lazy["lin_accl"] * 2
    lazy["lin_accl"].attrs["units"] = "m s-2"
    lazy.grace.to_zarr(tmp_path / "c.zarr", quantise="1e-13")
    twice = gx.open_store(tmp_path / "c.zarr")["lin_accl"].values
    assert np.nanmax(np.abs(twice - 2 * exact["lin_accl"].values)) <= 1.5e-13
