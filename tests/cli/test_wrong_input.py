"""Wrong input: one clear line, the right exit status, nothing half-written."""

from __future__ import annotations

import gzip
import io
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from archives import content, write_file, write_tarball

import gracelstm_xr as gx
from gracelstm_xr import l1b
from gracelstm_xr.archive import cache as filecache
from gracelstm_xr.cli import main
from gracelstm_xr.errors import (
    ArchiveError,
    GraceWarning,
    L1BFormatError,
    ModelFileError,
    StoreError,
    number_of,
)
from gracelstm_xr.store.read import open_store
from gracelstm_xr.store.write import to_zarr

DAY = "2008-01-01"
NAME = f"ACC1B_{DAY}_A_02.dat"
FO_DAY = "2019-02-01"
FO_NAME = f"ACC1B_{FO_DAY}_C_04.txt"
TARBALL = f"grace_1B_{DAY}_02.tar.gz"
FO_TARBALL = f"gracefo_1B_{FO_DAY}_RL04.ascii.noLRI.tgz"


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Start in an empty folder with nothing parsed before."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(filecache, "FILES", filecache.LimitedCache(1 << 28))
    monkeypatch.setattr(filecache, "MEMBERS", filecache.LimitedCache(1 << 28))


class Shell:
    """Runs a command and checks what every failing command has to do."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self.capsys = capsys

    def ok(self, *arguments: object) -> tuple[str, list[str]]:
        """Return standard output and the lines on standard error."""
        return self.run(0, *arguments)

    def run(self, status: int, *arguments: object) -> tuple[str, list[str]]:
        """Do the same for a command that ends with another status."""
        assert main([str(a) for a in arguments]) == status
        captured = self.capsys.readouterr()
        return captured.out, captured.err.splitlines()

    def error(self, *arguments: object) -> str:
        """Return the one line of a command that fails and leaves nothing new."""
        before = listing()
        assert main([str(a) for a in arguments]) == 1
        captured = self.capsys.readouterr()
        assert captured.out == ""
        lines = captured.err.splitlines()
        assert len(lines) == 1, captured.err
        assert lines[0].startswith("gracelstm: error: ")
        assert listing() == before
        return lines[0].removeprefix("gracelstm: error: ")

    def usage(self, *arguments: object) -> str:
        """Return the last line of a command that is used in a wrong way."""
        before = listing()
        with pytest.raises(SystemExit) as stop:
            main([str(a) for a in arguments])
        assert stop.value.code == 2
        assert listing() == before
        return self.capsys.readouterr().err.splitlines()[-1]


def listing() -> list[str]:
    return sorted(str(p) for p in Path.cwd().rglob("*"))


@pytest.fixture
def shell(capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(capsys)


@pytest.fixture
def store(make_grid: Any, tmp_path: Path) -> Path:
    """Two hours of both satellites; 1000 s of B are missing."""
    grid = make_grid(size=7200, gaps={"B": [(1000, 2000)]})
    to_zarr(grid, tmp_path / "s.zarr")
    return Path("s.zarr")


def good() -> bytes:
    return content("ACC1B", DAY, "A")[1]


def header_length(data: bytes, name: str) -> int:
    path = Path(name)
    path.write_bytes(data)
    length = l1b.read_header(path).nbytes
    path.unlink()
    return length


def fo() -> bytes:
    return content("ACC1B", FO_DAY, "C", release="04", extension="txt")[1]


# --- files that cannot be read at all ---

UNREADABLE: dict[str, tuple[str, Callable[[], bytes], str]] = {
    "no Level-1B file": (
        NAME,
        lambda: b"Dear diary\n" * 30,
        "not a Level-1B file: it starts with b'Dear diary",
    ),
    "empty": (NAME, lambda: b"", "the file is empty; download it again"),
    "half a header": (NAME, lambda: good()[:300], "the header has no end"),
    "corrupt gzip": (
        NAME + ".gz",
        lambda: gzip.compress(good())[:-200],
        "corrupt gzip data (Compressed file ended",
    ),
    "no gzip inside": (
        NAME + ".gz",
        lambda: b"\x1f\x8b" + b"junk" * 100,
        "corrupt gzip data",
    ),
}


@pytest.mark.parametrize("case", UNREADABLE, ids=list(UNREADABLE))
def test_unreadable_files(case: str, shell: Shell) -> None:
    name, make, message = UNREADABLE[case]
    Path("in").mkdir()
    path = Path("in") / name
    path.write_bytes(make())
    assert message in shell.error("info", path)
    for line in (
        shell.error("ingest", "in", "out.zarr", "--quiet"),
        shell.error("ingest", path, "out.zarr", "--quiet", "--strict"),
    ):
        assert message in line
        assert name in line
    with pytest.raises(L1BFormatError) as caught:
        xr.open_dataset(path, engine="grace_l1b").load()
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    with pytest.raises(L1BFormatError, match=name):
        gx.open_archive("in").load()
    with pytest.raises(StoreError, match="no record in any of 1 file, nothing"):
        gx.open_archive("in", errors="ignore").grace.to_zarr("out.zarr")
    assert not Path("out.zarr").exists()


def test_nothing_but_headers_makes_no_store(shell: Shell) -> None:
    data = good()
    Path("in").mkdir()
    Path("in", NAME).write_bytes(data[: header_length(data, NAME)])
    line = shell.error("ingest", "in", "out.zarr", "--quiet")
    assert line.startswith("no record in any of 1 file, nothing was written")
    assert f"{NAME}: 0 of 60 announced records found, 0 incomplete" in line
    out, err = shell.ok("info", Path("in", NAME))
    assert "records:          0 of 60 announced" in out
    assert len(err) == 1
    filecache.forget(str(Path("in", NAME).absolute()))
    with pytest.warns(GraceWarning, match="0 of 60 announced records found"):
        xr.open_dataset(Path("in", NAME)).load()
    with pytest.raises(L1BFormatError, match="0 of 60"):
        xr.open_dataset(Path("in", NAME), strict=True).load()


# --- files of which a part is good: that part is kept, and it is said ---


@pytest.mark.parametrize(
    ("name", "make", "cut", "records", "said"),
    [
        (NAME, good, 10, 59, "59 of 60 announced records found, 1 incomplete"),
        (NAME, good, 780, 50, "50 of 60 announced records found, 0 incomplete"),
        (FO_NAME, fo, 20, 59, "59 of 60 announced records found, 1 incomplete"),
    ],
    ids=["truncated record", "wrong count", "truncated line"],
)
def test_complete_records_are_kept(
    shell: Shell, name: str, make: Any, cut: int, records: int, said: str
) -> None:
    Path("in").mkdir()
    path = Path("in", name)
    path.write_bytes(make()[:-cut])
    out, err = shell.ok("ingest", "in", "out.zarr", "--quiet")
    assert len(err) == 1
    assert err[0].startswith("gracelstm: warning: ")
    assert said in err[0]
    assert f"records:    {records}\n" in out
    missing = number_of(60 - records, "announced record")
    assert f", {missing} missing\n" in out
    stored = open_store("out.zarr")
    assert int(stored["lin_accl"].isel(axis=0).count()) == records
    expected = {
        "records": records,
        "missing_records": 60 - records,
        "truncated_files": int(cut % 78 > 0),
        "unreadable_files": 0,
    }
    assert {k: stored.attrs[k] for k in expected} == expected
    out, err = shell.ok("info", path)
    assert f"records:          {records} of 60 announced" in out
    assert len(err) == 1
    assert f"{records} of 60 announced records found" in err[0]
    with pytest.warns(GraceWarning, match=str(records)):
        whole = l1b.read(path)
    assert len(whole.columns["gps_time"]) == records
    with pytest.raises(L1BFormatError, match="download the file again"):
        l1b.read(path, strict=True)


def test_a_bad_file_among_good_ones(shell: Shell) -> None:
    """Its day stays empty and it is named; the others are stored whole."""
    for day in ("2008-01-01", "2008-01-02", "2008-01-03"):
        write_file(Path("in"), "ACC1B", day, "A")
    bad = Path("in", "ACC1B_2008-01-02_A_02.dat")
    bad.write_bytes(bad.read_bytes()[:100])
    out, err = shell.run(1, "ingest", "in", "out.zarr", "--quiet")
    assert len(err) == 1
    assert err[0].startswith(f"gracelstm: warning: left out: {bad.absolute()}: ")
    assert "records:    120\n" in out
    last = out.splitlines()[-1]
    assert last == "failed:     1 file could not be read; the manifest says why"
    stored = open_store("out.zarr")
    seen = stored["lin_accl"].isel(satellite=0, axis=0).notnull().values
    assert [int(seen[i * 86400 :][:86400].sum()) for i in range(3)] == [60, 0, 60]
    assert stored.attrs["unreadable_files"] == 1
    assert bad.name in shell.error("ingest", "in", "b.zarr", "--strict", "--quiet")
    with pytest.raises(L1BFormatError, match=bad.name):
        gx.open_archive("in").load()
    with pytest.warns(GraceWarning, match=bad.name):
        assert int(gx.open_archive("in", errors="warn").lin_accl.count()) == 360


def test_ingest_counts_what_is_odd(shell: Shell) -> None:
    write_file(Path("in"), "ACC1B", DAY, "A", [-1, 0, 1, 1, 3, 2])
    write_file(Path("in"), "ACC1B", DAY, "B", [0, 1, 2])
    out, err = shell.ok("ingest", "in", "out.zarr", "--quiet")
    assert err == []
    assert "records:    9\n" in out
    assert (
        "duplicates: 1 epoch repeated, 1 step back in time, 1 record outside their day"
    ) in out
    counted = gx.open_archive("in", scan=True).attrs
    stored = open_store("out.zarr").attrs
    names = ("records", "duplicate_epochs", "out_of_order_epochs", "overlap_records")
    assert [stored[n] for n in names] == [9, 1, 1, 1]
    assert {n: stored[n] for n in names} == {n: counted[n] for n in names}
    out, _ = shell.ok("info", Path("in", NAME))
    assert "records:          6, 1 repeat a time, 1 step back" in out


def test_counting_does_not_read_files_again(monkeypatch: pytest.MonkeyPatch) -> None:
    for day in range(1, 4):
        for product in ("ACC1B", "GNV1B", "SCA1B", "THR1B"):
            write_file(Path("in"), product, f"2008-01-{day:02d}", "A")
    seen: list[str] = []
    read = l1b.read_bytes

    def counted(data: bytes, source: Any, **options: Any) -> Any:
        seen.append(Path(source).name)
        return read(data, source, **options)

    monkeypatch.setattr(l1b, "read_bytes", counted)
    gx.open_archive("in").grace.to_zarr("out.zarr")
    assert sorted(seen) == sorted(p.name for p in Path("in").iterdir())
    assert open_store("out.zarr").attrs["records"] == 12 * 60


def test_a_part_of_an_archive_is_not_counted_as_the_whole() -> None:
    for day in ("2008-01-01", "2008-01-02"):
        write_file(Path("in"), "ACC1B", day, "A")
    part = gx.open_archive("in").isel(time=slice(0, 86400))
    part.grace.to_zarr("out.zarr")
    assert "records" not in open_store("out.zarr").attrs


# --- products and members ---


def test_unknown_product(shell: Shell) -> None:
    Path("in").mkdir()
    path = Path("in", f"XYZ1B_{DAY}_A_02.dat")
    path.write_bytes(good().replace(b"ACC1B", b"XYZ1B"))
    assert "unknown product 'XYZ1B'; readable are" in shell.error("info", path)
    line = shell.error("ingest", "in", "out.zarr", "--quiet")
    assert line.endswith("found products XYZ1B")
    with pytest.raises(L1BFormatError, match="unknown product 'XYZ1B'"):
        xr.open_dataset(path, engine="grace_l1b")
    with pytest.raises(ArchiveError, match="found products XYZ1B"):
        gx.open_archive("in")


def test_missing_member(shell: Shell) -> None:
    write_tarball(Path("in"), TARBALL, [content("GNV1B", DAY, "A")])
    chain = f"tar://{NAME}::{Path('in', TARBALL)}"
    message = f"no member {NAME}; the archive holds GNV1B_{DAY}_A_02.dat"
    assert message in shell.error("info", chain)
    with pytest.raises(FileNotFoundError, match=f"no member {NAME}"):
        xr.open_dataset(chain, engine="grace_l1b")
    out, err = shell.ok("ingest", "in", "out.zarr", "--quiet")
    assert err == []
    # ACC1B, SCA1B and THR1B of A and B, and GNV1B of B
    assert "records:    60\n" in out
    assert "absent:     7 members absent from their tarballs" in out
    bad = f"tar://{NAME}"
    assert "expected tar://MEMBER::ARCHIVE" in shell.error("info", bad)


def test_wrong_checksum(shell: Shell) -> None:
    sums = ("checksum", f"{'0' * 32}  {FO_NAME}\n".encode())
    path = write_tarball(Path("in"), FO_TARBALL, [(FO_NAME, fo()), sums])
    message = f"wrong checksum of {FO_NAME}: MD5 is "
    assert message in shell.error("info", f"tar://{FO_NAME}::{path}")
    assert message in shell.error("ingest", "in", "out.zarr", "--quiet")
    with pytest.raises(L1BFormatError, match="wrong checksum"):
        xr.open_dataset(f"tar://{FO_NAME}::{path}", engine="grace_l1b").load()
    with pytest.raises(L1BFormatError, match="wrong checksum"):
        gx.open_archive("in").lin_accl.load()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda data: data[:-300], "corrupt gzip data"),
        (lambda data: b"hello" * 50, "not a tar archive"),
        (lambda data: b"", "empty"),
    ],
    ids=["cut", "no tar", "empty"],
)
def test_damaged_tarballs(shell: Shell, spoil: Any, message: str) -> None:
    path = write_tarball(Path("in"), TARBALL, [(NAME, good())])
    path.write_bytes(spoil(path.read_bytes()))
    assert message in shell.error("info", path)
    assert message in shell.error("ingest", "in", "out.zarr", "--quiet")
    with pytest.raises(L1BFormatError, match=message):
        gx.open_archive("in").load()


# --- places ---


def test_places_without_data(shell: Shell) -> None:
    Path("void").mkdir()
    Path("text").mkdir()
    Path("text", "readme.txt").write_text("hi")
    for name, expected in (
        ("void", "no Level-1B files found in void"),
        ("text", "no Level-1B files found in text"),
        ("nowhere", "no such file or folder: nowhere"),
        ("*.dat", "no such file or folder: *.dat"),
    ):
        assert expected in shell.error("ingest", name, "out.zarr")
        with pytest.raises(ArchiveError) as caught:
            gx.open_archive(name)
        assert expected in str(caught.value)
    assert "holds no Level-1B file names" in shell.error("info", "void")
    assert "nowhere: no such file or folder" in shell.error("info", "nowhere")
    with pytest.raises(FileNotFoundError):
        xr.open_dataset(NAME, engine="grace_l1b")


def spoil_stores(store: Path) -> dict[str, str]:
    """Stores and other things that cannot be opened, with what is to be said."""
    xr.Dataset({"a": ("x", [1.0])}).to_zarr("other.zarr", consolidated=False)
    xr.Dataset({"a": ("x", [1.0])}).to_netcdf("other.nc")
    Path("void.zarr").mkdir()
    for name, part in (
        ("root.zarr", "zarr.json"),
        ("array.zarr", "lin_accl/zarr.json"),
    ):
        shutil.copytree(store, name)
        Path(name, part).write_text("{")
    return {
        "nowhere.zarr": "no Zarr store at nowhere.zarr; make one with",
        "void.zarr": "no Zarr store at void.zarr; make one with",
        "other.zarr": "other.zarr is a Zarr store of another kind",
        "other.nc": "other.nc is a file, expected the folder of a Zarr store",
        "root.zarr": "root.zarr is not a readable Zarr store",
        "array.zarr": "array.zarr is not a readable Zarr store",
    }


def test_stores_of_another_kind(shell: Shell, store: Path) -> None:
    for name, message in spoil_stores(store).items():
        for command in (
            ["gaps", name],
            ["export", name, "out", "--format", "netcdf"],
            ["export", name, "out", "--format", "l1b"],
            ["fit", name, "m.gracelstm"],
        ):
            netcdf = name == "other.nc" and command[0] != "fit"
            expected = "'lin_accl'" if netcdf else message
            assert expected in shell.error(*command)
        with pytest.raises(StoreError) as caught:
            gx.open_store(name)
        assert message in str(caught.value)
        assert "\n" not in str(caught.value)


def test_a_damaged_chunk_names_its_store(shell: Shell, store: Path) -> None:
    for path in Path(store, "lin_accl", "c").rglob("*"):
        if path.is_file():
            path.write_bytes(path.read_bytes()[:100])
    for command in (
        ["gaps", store],
        ["export", store, "out", "--format", "netcdf", "--quiet"],
        ["export", store, "out", "--format", "l1b", "--quiet"],
    ):
        assert f"{store}/lin_accl is damaged (" in shell.error(*command)


@pytest.mark.parametrize("kept", [8, 600, 5_000])
def test_info_of_a_damaged_netcdf(shell: Shell, kept: int) -> None:
    xr.Dataset({"a": ("x", np.arange(9_000.0))}).to_netcdf("a.nc")
    path = Path("a.nc")
    path.write_bytes(path.read_bytes()[:kept])
    assert "a.nc" in shell.error("info", path)


def test_a_device_is_no_data_file(shell: Shell) -> None:
    Path("in").mkdir()
    Path("in", NAME).symlink_to("/dev/zero")
    for command in (["info", f"in/{NAME}"], ["ingest", "in", "out.zarr", "--quiet"]):
        assert f"{NAME} is a device" in shell.error(*command)


def spoil_models() -> list[str]:
    packed = io.BytesIO()
    np.savez(packed, a=1)
    Path("junk").write_bytes(b"junk")
    Path("empty").write_bytes(b"")
    Path("folder").mkdir()
    for name, text in (("zip", None), ("kind", '{"format": "keras"}')):
        with zipfile.ZipFile(name, "w") as file:
            file.writestr("a.txt", "x")
            if text is not None:
                file.writestr("model.json", text)
                file.writestr("network.keras", b"x")
                file.writestr("arrays.npz", packed.getvalue())
    return ["junk", "empty", "folder", "zip", "kind"]


def test_models_of_another_kind(shell: Shell, store: Path) -> None:
    for name in spoil_models():
        for command in (
            ["fill", store, name, "out.nc"],
            ["fill", store, name, "out.zarr"],
            ["forecast", store, name, "out.nc"],
            ["evaluate", store, name, "report"],
        ):
            line = shell.error(*command)
            assert f"'{name}'" in line
            assert ", expected " in line
        with pytest.raises(ModelFileError, match=name) as caught:
            gx.load_model(name)
        assert "\n" not in str(caught.value)
    assert "no file 'nowhere'" in shell.error("fill", store, "nowhere", "out.nc")
    with pytest.raises(FileNotFoundError):
        gx.load_model("nowhere")


# --- requests and outputs ---


def test_wrong_dates(shell: Shell, store: Path) -> None:
    write_file(Path("in"), "ACC1B", DAY, "A")
    expected = "'soon' is not a date; expected e.g. 2008-05-01"
    for command in (
        ["export", store, "out", "--format", "l1b"],
        ["export", store, "out", "--format", "netcdf"],
        ["fit", store, "m.gracelstm"],
    ):
        assert expected in shell.usage(*command, "--start", "soon")
        assert "no data from 2009 to None" in shell.error(*command, "--start", "2009")
        line = shell.error(*command, "--start", "2008-01-02", "--stop", DAY)
        assert "start '2008-01-02' and stop '2008-01-01' found" in line
    ingest = ["ingest", "in", "out.zarr", "--quiet"]
    assert expected in shell.usage(*ingest, "--start", "soon")
    wrong = "'2008-13-45' is not a date; expected"
    assert wrong in shell.usage(*ingest, "--start", "2008-13-45")
    assert "is not before stop" in shell.error(*ingest, "--start", "2009-01-01")
    assert "is not before stop" in shell.error(*ingest, "--stop", "2007")
    assert "unknown product 'FOO'" in shell.error(*ingest, "--products", "FOO")
    assert "not on the 1 s grid" in shell.error(*ingest, "--products", "KBR1B")
    assert "expected letters of A, B" in shell.error(*ingest, "--satellites", "Q")
    assert "satellites B found" in shell.error(*ingest, "--satellites", "B")


def test_outputs_that_cannot_be_written(shell: Shell, store: Path) -> None:
    write_file(Path("in"), "ACC1B", DAY, "A")
    Path("file").write_text("precious")
    Path("folder").mkdir()
    Path("full.nc").mkdir()
    commands = {
        "exists already": [
            ["ingest", "in", store],
            ["ingest", "in", "folder"],
        ],
        "which is being read": [["fill", store, "m", store]],
        "is not a Zarr store and will not be replaced": [
            ["ingest", "in", "file"],
            ["ingest", "in", "file", "--overwrite", "--quiet"],
            ["ingest", "in", "in", "--overwrite", "--quiet"],
        ],
        "is a file; expected a folder to write into": [
            ["ingest", "in", "file/out.zarr", "--quiet"],
            ["fit", store, "file/m.gracelstm"],
            ["fill", store, "m", "file/out.nc"],
            ["gaps", store, "--csv", "file/gaps.csv"],
        ],
        "is a folder; expected the name of a file": [
            ["fit", store, "folder"],
            ["fill", store, "m", "full.nc"],
            ["gaps", store, "--csv", "folder"],
        ],
        "is a file; expected the name of a folder": [
            ["export", store, "file", "--format", "l1b"],
            ["export", store, "file/out", "--format", "netcdf"],
            ["evaluate", store, "m", "file"],
        ],
        "does not exist; make it first": [
            ["gaps", store, "--csv", "nowhere/gaps.csv"],
            ["fit", store, "nowhere/m.gracelstm"],
        ],
    }
    for message, calls in commands.items():
        for call in calls:
            assert message in shell.error(*call), call
    assert Path("file").read_text() == "precious"
    assert open_store(store).sizes["time"] == 7200
    for command in (["fit", store, "m.gracelstm"], ["fill", store, "m", "out.nc"]):
        Path(command[-1]).write_text("mine")
        for option in ([], ["--overwrite"]):
            assert "was not written by" in shell.error(*command, *option)
        assert Path(command[-1]).read_text() == "mine"


def test_a_folder_without_permission(
    shell: Shell, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The check is replaced: a superuser may write anywhere."""
    monkeypatch.setattr("os.access", lambda *_: False)
    for command in (
        ["fit", store, "m.gracelstm"],
        ["export", store, "out", "--format", "l1b"],
        ["evaluate", store, "m", "report"],
    ):
        assert "may not be written to" in shell.error(*command)


def test_a_replaced_output_survives_an_error(shell: Shell, store: Path) -> None:
    """Good output of an earlier run is not lost to a run that fails."""
    shell.ok("export", store, "out", "--format", "netcdf", "--quiet")
    path = next(Path("out").iterdir())
    before = path.read_bytes()
    for part in Path(store, "lin_accl", "c").rglob("*"):
        if part.is_file():
            part.write_bytes(b"damaged")
    shell.error("export", store, "out", "--format", "netcdf", "--quiet")
    assert path.read_bytes() == before


def test_wrong_usage(shell: Shell) -> None:
    assert "expected 0, 1, 2" in shell.usage("fit", "a", "b", "--seed", "-1")
    assert "expected 0, 1, 2" in shell.usage("simulate", "a", "--seed", "x")
    assert "invalid choice" in shell.usage("export", "a", "b", "--format", "csv")
    assert "expected 1, 2, 3" in shell.usage("fit", "a", "b", "--epochs", "many")
    assert "expected 1, 2, 3" in shell.usage("fit", "a", "b", "--epochs", "0")
    assert "expected 1, 2, 3" in shell.usage("demo", "--days", "0")
    assert "the following arguments are required" in shell.usage("ingest", "a")
