"""Ingest where a hostile reviewer would look: places, sources, damaged stores."""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from archives import (
    DAYS,
    content,
    fill_folder,
    put,
    same_values,
    tree,
    write_file,
    write_tarball,
)
from crashing import Forks

import gracelstm_xr as gx
from gracelstm_xr.cli import main
from gracelstm_xr.errors import ArchiveError, StoreError

NOBODY = 65534


@pytest.fixture(autouse=True)
def _fixed_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")


@pytest.fixture
def files(tmp_path: Path) -> Path:
    return fill_folder(tmp_path / "in", DAYS[:2], "A", ("ACC1B",))


def test_many_names_of_one_store(
    files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Relative, with a slash at the end, through links: one store, one lock."""
    put(files, tmp_path / "a.zarr")
    (tmp_path / "far").mkdir()
    (tmp_path / "far" / "link.zarr").symlink_to("../a.zarr")
    monkeypatch.chdir(tmp_path / "far")
    for name in ("../a.zarr", "../a.zarr/", f"{tmp_path}/a.zarr/", "link.zarr"):
        assert put("../in", name).shards == 0
    before = tree(tmp_path / "a.zarr")
    put(files, "link.zarr", mode="w")
    assert (tmp_path / "far" / "link.zarr").is_symlink()
    assert tree(tmp_path / "a.zarr") == before
    put(fill_folder(tmp_path / "b", DAYS[:1], "B", ("ACC1B",)), "link.zarr")
    # a satellite behind, a day before: in place, and a rebuild, through the link
    put(fill_folder(tmp_path / "c", ["2007-12-31"], "A", ("ACC1B",)), "link.zarr")
    assert gx.open_store("link.zarr").sizes["time"] == 3 * 86_400
    same_values(tmp_path / "a.zarr", [files, tmp_path / "b", tmp_path / "c"])
    assert sorted(os.listdir(tmp_path / "far")) == ["link.zarr"]
    assert sorted(os.listdir(tmp_path)) == ["a.zarr", "b", "c", "far", "in"]


def test_a_link_to_what_is_not_there_yet(files: Path, tmp_path: Path) -> None:
    (tmp_path / "link.zarr").symlink_to("disk/a.zarr")
    put(files, tmp_path / "link.zarr")
    assert (tmp_path / "disk" / "a.zarr" / "zarr.json").is_file()
    same_values(tmp_path / "link.zarr", files)


def test_a_store_inside_its_sources(files: Path) -> None:
    put(files, files / "a.zarr")
    assert put(files, files / "a.zarr").shards == 0
    put(files, files / "stern ★ 星")
    assert put(files, files / "stern ★ 星").shards == 0
    same_values(files / "stern ★ 星", files)


def test_fewer_products_later(tmp_path: Path) -> None:
    """What a later ingest does not name grows along with the rest."""
    first = fill_folder(tmp_path / "1", DAYS[:3], "A", ("ACC1B", "THR1B"))
    put(first, tmp_path / "a.zarr")
    second = fill_folder(tmp_path / "2", DAYS[3:5], "AB", ("ACC1B",))
    put(second, tmp_path / "a.zarr")
    same_values(tmp_path / "a.zarr", [first, second])
    third = fill_folder(tmp_path / "3", DAYS[1:2], "B", ("THR1B",))
    put(third, tmp_path / "a.zarr")
    same_values(tmp_path / "a.zarr", [first, second, third])


def test_an_interrupted_rebuild_does_not_go_on_from_another_store(
    forks: Forks, files: Path, tmp_path: Path
) -> None:
    """Days are added before the first, interrupted; the store changes meanwhile."""
    later = fill_folder(tmp_path / "later", DAYS[2:4], "A", ("ACC1B",))
    store = tmp_path / "out" / "a.zarr"
    gx.ingest(later, store, shard_days=1)
    request = {"sources": [str(files)], "options": {"shard_days": 1}}
    shutil.copytree(store, tmp_path / "whole" / "a.zarr")
    whole = {"store": str(tmp_path / "whole" / "a.zarr"), "root": str(tmp_path)}
    events = forks("ingest", **request, **whole)["events"]
    place = {"store": str(store), "root": str(store.parent)}
    dead = forks("ingest", kill=events * 3 // 4, **request, **place)
    assert dead["status"] == -9
    assert list(store.parent.glob(".a.zarr.part/manifest/2*/zarr.json"))
    write_file(later, "ACC1B", DAYS[2], "A", value=77.0)
    assert put(later, store).changed == 1
    put(files, store)
    same_values(store, [files, later])


def test_a_shorter_request_does_not_go_on_with_a_longer_one(
    forks: Forks, tmp_path: Path
) -> None:
    files = fill_folder(tmp_path / "in", DAYS[:4], "A", ("ACC1B",))
    store = tmp_path / "out" / "a.zarr"
    request = {"sources": [str(files)], "store": str(store), "root": str(store.parent)}
    finished = ".a.zarr.part/manifest/2*/zarr.json"
    for change in (150, 135, 120, 105):  # how many there are varies with the schedule
        shutil.rmtree(store.parent, ignore_errors=True)
        store.parent.mkdir()
        dead = forks("ingest", options={"shard_days": 1}, kill=change, **request)
        if dead["status"] == -9 and list(store.parent.glob(finished)):
            break
    assert list(store.parent.glob(finished))
    gx.ingest(files, store, shard_days=1, stop=DAYS[1])
    gx.ingest(files, tmp_path / "b.zarr", shard_days=1, stop=DAYS[1])
    assert tree(store) == tree(tmp_path / "b.zarr")


def test_a_task_of_a_run_that_is_over_writes_nothing(
    files: Path, tmp_path: Path
) -> None:
    """On a cluster a task outlives the client that was killed."""
    from gracelstm_xr.store.guard import at_work
    from gracelstm_xr.store.location import Target

    put(files, tmp_path / "a.zarr")
    target = Target.at(tmp_path / "a.zarr")
    with pytest.raises(StoreError, match="another run has taken over"):
        at_work(target.in_place(), "0" * 32)
    with pytest.raises(StoreError, match="or this one has ended"):
        at_work(target, "0" * 32)
    assert sorted(os.listdir(tmp_path)) == ["a.zarr", "in"]


def test_a_damaged_manifest_or_root_is_one_line(
    files: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = tmp_path / "a.zarr"
    put(files, store)
    good = tree(store)
    record = store / "manifest" / DAYS[0] / "zarr.json"
    kept = record.read_text()
    for junk in ("", "{", "[]", '{"zarr_format": 3}', kept.replace('"files"', '"f"')):
        record.write_text(junk)
        assert main(["ingest", str(files), str(store), "--quiet"]) == 1
        told = capsys.readouterr().err
        assert re.fullmatch(
            rf"gracelstm: error: .*the record manifest/{DAYS[0]} is damaged \(.*\); "
            r"remove the folder of that name and ingest the files of its days again\n",
            told,
        )
    shutil.rmtree(record.parent)
    assert main(["ingest", str(files), str(store), "--quiet"]) == 0
    again = tree(store)
    assert {k for k in good if again[k] != good[k]} == {"zarr.json"}
    capsys.readouterr()
    (store / "zarr.json").write_text("{")
    assert main(["ingest", str(files), str(store), "--quiet"]) == 1
    told = capsys.readouterr().err
    assert re.fullmatch(
        rf"gracelstm: error: {store} is not a readable Zarr store: .*\n", told
    )
    with pytest.raises(StoreError, match="is not a readable Zarr store"):
        gx.open_store(store)


def test_a_store_of_before_there_was_a_manifest(files: Path, tmp_path: Path) -> None:
    store = tmp_path / "a.zarr"
    put(files, store)
    shutil.rmtree(store / "manifest")
    root = json.loads((store / "zarr.json").read_text())
    for name in ("made_by", "variables"):
        del root["attributes"]["grace_store"][name]
    (store / "zarr.json").write_text(json.dumps(root))
    same_values(store, files)
    assert gx.read_manifest(store).empty
    with pytest.raises(StoreError, match=r"not made from Level-1B files; .*mode='w'"):
        put(files, store)
    put(files, store, mode="w")
    assert len(gx.read_manifest(store)) == 2


def test_sources_named_twice_and_twins(tmp_path: Path) -> None:
    """A file listed twice is read once; of two equal names the first path counts."""
    one = write_file(tmp_path / "b", "ACC1B", DAYS[0], "A", value=1.0)
    write_file(tmp_path / "a", "ACC1B", DAYS[0], "A", value=2.0)
    twice = [one, tmp_path / "b", str(tmp_path / "b" / "*.dat"), f"file://{one}"]
    assert put(twice, tmp_path / "1.zarr").files == 1
    both = [tmp_path / "b", tmp_path / "a"]
    put(both, tmp_path / "2.zarr")
    assert float(gx.open_store(tmp_path / "2.zarr")["lin_accl"][0, 0, 0]) == 2e-9
    same_values(tmp_path / "2.zarr", both)
    assert put(both, tmp_path / "2.zarr").shards == 0


def test_satellites_without_files(files: Path, tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match="satellites C found in"):
        put(files, tmp_path / "a.zarr", satellites="C")
    assert os.listdir(tmp_path) == ["in"]
    put(files, tmp_path / "a.zarr", satellites="AB")
    store = gx.open_store(tmp_path / "a.zarr")
    assert store["satellite"].values.tolist() == ["A", "B"]
    assert int(store["lin_accl"].sel(satellite="B").notnull().sum()) == 0


def test_only_bad_files_do_a_good_store_no_harm(files: Path, tmp_path: Path) -> None:
    store = tmp_path / "a.zarr"
    put(files, store)
    kept = gx.open_store(store).load()
    (tmp_path / "bad").mkdir()
    for day in DAYS[1:3]:
        bad = tmp_path / "bad" / f"ACC1B_{day}_A_02.dat"
        bad.write_bytes(b"Dear diary\n" * 30)
    done = put(tmp_path / "bad", store)
    assert done.counts["unreadable_files"] == 2
    after = gx.open_store(store).load()
    assert after.sizes["time"] == 3 * 86_400
    same = after.isel(time=slice(0, kept.sizes["time"]))
    np.testing.assert_array_equal(same["lin_accl"], kept["lin_accl"])
    # into no store: nothing is left
    with pytest.raises(StoreError, match="no record in any of 2 files, nothing was"):
        put(tmp_path / "bad", tmp_path / "b.zarr")
    assert sorted(os.listdir(tmp_path)) == ["a.zarr", "bad", "in"]


def test_what_cannot_be_read_is_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A folder named like a file, a dangling link, a tarball cut in the middle."""
    files = fill_folder(tmp_path / "in", DAYS[:2], "A", ("ACC1B",))
    (files / f"ACC1B_{DAYS[2]}_A_02.dat").mkdir()
    (files / f"ACC1B_{DAYS[3]}_A_02.dat").symlink_to("gone.dat")
    members = [content(p, DAYS[4], "A", range(3000)) for p in ("ACC1B", "THR1B")]
    whole = write_tarball(files, f"grace_1B_{DAYS[4]}_02.tar.gz", members)
    data = whole.read_bytes()
    whole.write_bytes(data[: len(data) // 2])
    store = tmp_path / "a.zarr"
    argv = ["ingest", str(files), str(store), "--quiet", "--satellites", "A"]
    assert main([*argv, "--products", "ACC1B"]) == 1
    said = capsys.readouterr()
    assert "Traceback" not in said.err
    last = said.out.splitlines()[-1]
    assert re.fullmatch(r"failed: +\d files could not be read; .* says why", last)
    rows = gx.read_manifest(store).set_index("day")
    assert rows.loc[DAYS[:2], "used"].all()
    assert not rows.loc[[d for d in DAYS[2:5] if d in rows.index], "used"].any()
    assert {DAYS[3], DAYS[4]} <= set(rows.index)
    # the link leads somewhere again, the tarball is whole: read without being told
    good = write_file(tmp_path, "ACC1B", DAYS[3], "A")
    good.rename(files / "gone.dat")
    whole.write_bytes(data)
    main([*argv, "--products", "ACC1B"])
    rows = gx.read_manifest(store)
    assert set(rows[rows.used].day) == {*DAYS[:2], *DAYS[3:5]}


def test_a_file_that_vanishes_before_it_is_read(tmp_path: Path) -> None:
    from gracelstm_xr.archive.selection import select
    from gracelstm_xr.store.ingest import ingest_selection

    files = fill_folder(tmp_path / "in", DAYS[:2], "A", ("ACC1B",))
    selection = select(files, products=["ACC1B"])
    gone = files / f"ACC1B_{DAYS[1]}_A_02.dat"
    gone.rename(tmp_path / "kept")
    done = ingest_selection(selection, tmp_path / "a.zarr")
    assert done.counts["unreadable_files"] == 1
    assert gone.name in done.problems[0]
    # back again, with its old time: it is read
    shutil.copy2(tmp_path / "kept", gone)
    assert put(files, tmp_path / "a.zarr").counts["unreadable_files"] == 0


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that another user may enter, if there is another user to be."""
    if os.geteuid():
        pytest.skip("only root can become somebody without rights")
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def test_no_right_to_read_and_none_to_write(forks: Forks, open_folder: Path) -> None:
    place = Path(sys.prefix)
    if any(not p.stat().st_mode & stat.S_IXOTH for p in (place, *place.parents)):
        pytest.skip("the Python environment is in a folder that others may not enter")
    files = fill_folder(open_folder / "in", DAYS[:2], "A", ("ACC1B",))
    secret = files / f"ACC1B_{DAYS[1]}_A_02.dat"
    secret.chmod(0)
    mine = open_folder / "mine"
    mine.mkdir()
    os.chown(mine, NOBODY, NOBODY)
    logs = {"log": str(mine / "log"), "user": NOBODY}
    argv = ["ingest", str(files), str(mine / "a.zarr"), "--quiet"]
    done = forks("command", argv=argv, **logs)
    assert done["code"] == 1
    assert f"left out: {secret}: Permission denied\n" in done["said"]
    # the right is given: the file has the same time and size, and is read
    secret.chmod(stat.S_IRUSR | stat.S_IRGRP | stat.S_IROTH)
    assert forks("command", argv=argv, **logs)["code"] == 0
    argv = ["ingest", str(files), str(open_folder / "theirs" / "a.zarr"), "--quiet"]
    done = forks("command", argv=argv, **logs)
    assert done["code"] == 1
    assert re.fullmatch(r"gracelstm: error: .*\n", done["said"])
    assert str(open_folder) in done["said"]
    argv = ["ingest", str(files), str(open_folder / "a.zarr"), "--quiet"]
    done = forks("command", argv=argv, **logs)
    assert done["said"] == (
        f"gracelstm: error: folder {open_folder} may not be written to; choose another "
        "or change its permissions\n"
    )


def test_a_store_in_a_full_or_foreign_place(files: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("text")
    with pytest.raises(StoreError, match="is a file; expected a folder"):
        put(files, tmp_path / "file" / "a.zarr")
    with pytest.raises(StoreError, match="is not a Zarr store and will not"):
        put(files, tmp_path / "file")
    (tmp_path / "old.zarr").mkdir()
    (tmp_path / "old.zarr" / ".zgroup").write_text('{"zarr_format": 2}')
    with pytest.raises(StoreError, match="is not a Zarr store and will not"):
        put(files, tmp_path / "old.zarr")
    import zarr

    zarr.create_array(tmp_path / "array.zarr", shape=(3,), dtype="i4")
    with pytest.raises(StoreError, match=r"array\.zarr"):
        put(files, tmp_path / "array.zarr")


def test_an_emptied_file_leaves_an_empty_store(files: Path, tmp_path: Path) -> None:
    """The last record is taken back by its file: the store stays, and says so."""
    store = tmp_path / "a.zarr"
    put(files, store)
    for day in DAYS[:2]:
        path: Any = write_file(files, "ACC1B", day, "A", range(0))
        os.utime(path, ns=(1, 10**18))
    done = put(files, store)
    assert done.counts["records"] == 0
    assert int(gx.open_store(store)["lin_accl"].notnull().sum()) == 0
