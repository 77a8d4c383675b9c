"""Simulated archives: the files, their truth, determinism, and the anchors."""

from __future__ import annotations

import hashlib
import tarfile
from pathlib import Path

import numpy as np
import pytest

from gracelstm_xr import l1b
from gracelstm_xr.errors import GraceError
from gracelstm_xr.simulate import (
    anchors,
    anchors_table,
    open_truth,
    simulate_archive,
    simulate_truth,
)

GAP = {"B": [("2008-01-01T06:00:00", "2008-01-01T07:00:00")]}


def digests(folder: Path) -> dict[str, str]:
    """Digest of every file below a folder by relative name."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def midnight(date: str) -> int:
    """GPS second of the start of a day."""
    span = np.datetime64(date, "s") - np.datetime64("2000-01-01T12:00:00", "s")
    return int(span.astype(int))


@pytest.fixture(scope="module")
def grace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("grace") / "archive"
    return simulate_archive(folder, days=2, storm="quiet", gaps=GAP)


@pytest.fixture(scope="module")
def grace_fo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fo") / "archive"
    return simulate_archive(folder, mission="grace-fo", start="2019-01-01", days=1)


def member(folder: Path, product: str, date: str, satellite: str) -> str:
    if satellite in "AB":
        archive = folder / f"grace_1B_{date}_02.tar.gz"
        return f"tar://{product}_{date}_{satellite}_02.dat::{archive}"
    archive = folder / f"gracefo_1B_{date}_RL04.ascii.noLRI.tgz"
    return f"tar://{product}_{date}_{satellite}_04.txt::{archive}"


class TestFiles:
    def test_names(self, grace, grace_fo):
        found = sorted(p.name for p in grace.iterdir())
        assert found == [
            "grace_1B_2008-01-01_02.tar.gz",
            "grace_1B_2008-01-02_02.tar.gz",
            "truth.zarr",
        ]
        with tarfile.open(grace / found[0]) as tar:
            names = tar.getnames()
        assert names == [
            f"{product}_2008-01-01_{satellite}_02.dat"
            for satellite in "AB"
            for product in ("ACC1B", "GNV1B", "SCA1B", "THR1B")
        ]
        archive = grace_fo / "gracefo_1B_2019-01-01_RL04.ascii.noLRI.tgz"
        with tarfile.open(archive) as tar:
            assert "checksum" in tar.getnames()
        assert len(l1b.verify_checksums(archive)) == 8

    def test_the_opened_archive_says_simulated(self, grace, grace_fo):
        from gracelstm_xr.archive.dataset import open_archive

        for folder in (grace, grace_fo):
            assert open_archive(folder).attrs["source"].startswith("simulated ")

    def test_headers_say_simulated(self, grace, grace_fo):
        legacy = l1b.read_header(member(grace, "ACC1B", "2008-01-01", "A"))
        assert legacy.attributes["producer_agency"] == "SIMULATED"
        assert "simulated" in str(legacy.attributes["instrument"])
        assert "simulated" in str(legacy.attributes["history"])
        text = l1b.read_header(member(grace_fo, "SCA1B", "2019-01-01", "D"))
        assert text.kind == "yaml"
        assert "Simulated" in str(text.attributes["title"])

    @pytest.mark.parametrize("satellite", ["A", "B"])
    def test_acc1b_is_the_truth_where_observed(self, grace, satellite):
        truth = open_truth(grace).sel(satellite=satellite).isel(time=slice(0, 86400))
        file = l1b.read(member(grace, "ACC1B", "2008-01-01", satellite), strict=True)
        seconds = file.columns["gps_time"] - midnight("2008-01-01")
        observed = truth["observed"].to_numpy().astype(bool)
        np.testing.assert_array_equal(seconds, np.flatnonzero(observed))
        absent = 3600 if satellite == "B" else 0
        assert len(seconds) == 86400 - absent
        expected = truth["lin_accl"].to_numpy()[observed]
        np.testing.assert_array_equal(file.columns["lin_accl"], expected)
        assert file.report.duplicates == file.report.out_of_order == 0
        assert np.abs(file.columns["acl_res"]).max() < 1e-5
        means = [3.3e-4, -3.9e-5, -2.9e-4] if satellite == "A" else None
        if means:
            found = file.columns["ang_accl"].mean(axis=0)
            np.testing.assert_allclose(found, means, rtol=1e-3)

    def test_flags_around_the_gap(self, grace):
        file = l1b.read(member(grace, "ACC1B", "2008-01-01", "B"))
        flags = dict(
            zip(
                (file.columns["gps_time"] - midnight("2008-01-01")).tolist(),
                file.columns["acc_qualflg"].tolist(),
                strict=True,
            )
        )
        assert flags[6 * 3600 - 1] & 0b11100000 == 0b11100000
        assert flags[6 * 3600 - 30] & 0b00100000
        assert flags[7 * 3600] & 0b11100000 == 0b11100000

    def test_text_files_lose_nothing(self, grace_fo):
        truth = open_truth(grace_fo)
        for satellite in "CD":
            one = truth.sel(satellite=satellite)
            file = l1b.read(member(grace_fo, "ACC1B", "2019-01-01", satellite))
            observed = one["observed"].to_numpy().astype(bool)
            np.testing.assert_array_equal(
                file.columns["lin_accl"], one["lin_accl"].to_numpy()[observed]
            )
            assert not file.columns["ang_accl"].any()

    def test_orbit_and_attitude_fit_together(self, grace, grace_fo):
        for folder, date, letters, step in (
            (grace, "2008-01-02", "AB", 5),
            (grace_fo, "2019-01-01", "CD", 1),
        ):
            gnv = [l1b.read(member(folder, "GNV1B", date, s)) for s in letters]
            sca = l1b.read(member(folder, "SCA1B", date, letters[0]))
            assert set(np.diff(gnv[0].columns["gps_time"])) == {5}
            assert set(np.diff(sca.columns["gps_time"])) == {step}
            radius = np.linalg.norm(gnv[0].columns["position"], axis=1)
            assert 6.82e6 < radius.min() < radius.max() < 6.90e6
            line = gnv[1].columns["position"] - gnv[0].columns["position"]
            assert np.linalg.norm(line, axis=1).mean() == pytest.approx(2e5, rel=0.07)
            q = sca.columns["quaternion"]
            np.testing.assert_allclose(np.linalg.norm(q, axis=1), 1.0, atol=1e-11)

    def test_thr1b_counts(self, grace, grace_fo):
        file = l1b.read(member(grace, "THR1B", "2008-01-01", "A"))
        fired = file.columns["thruster_on_time"][:, :12] > 0
        steps = np.diff(file.columns["thrust_count"][:, :12].astype(int), axis=0)
        np.testing.assert_array_equal(steps, fired[1:])
        spent = np.diff(file.columns["thruster_accum_dur"][:, :12].astype(int), axis=0)
        on_time = file.columns["thruster_on_time"][1:, :12]
        np.testing.assert_array_equal(spent, on_time)
        assert set(file.columns["time_ref"]) == {b"G"}
        text = l1b.read(member(grace_fo, "THR1B", "2019-01-01", "C"))
        assert not text.columns["thrust_count"][:, 12:].any()
        assert not text.columns["thruster_accum_dur"][:, 1:12].any()


class TestDeterminism:
    def test_same_seed_same_bytes_whatever_the_start(self, grace, tmp_path):
        again = simulate_archive(
            tmp_path / "again",
            start="2008-01-02",
            days=1,
            storm="quiet",
            gaps=GAP,
            truth=False,
        )
        name = "grace_1B_2008-01-02_02.tar.gz"
        assert digests(again) == {name: digests(grace)[name]}

    def test_another_seed_differs(self, grace, tmp_path):
        other = simulate_archive(
            tmp_path / "other",
            days=1,
            seed=1,
            storm="quiet",
            layout="files",
            truth=False,
        )
        one = l1b.read(other / "ACC1B_2008-01-01_A_02.dat")
        two = l1b.read(member(grace, "ACC1B", "2008-01-01", "A"))
        n = min(len(one.columns["lin_accl"]), len(two.columns["lin_accl"]))
        assert (
            one.columns["lin_accl"][:n] == two.columns["lin_accl"][:n]
        ).mean() < 0.01
        names = sorted(p.name for p in other.iterdir())
        assert len(names) == 8
        assert names[0] == "ACC1B_2008-01-01_A_02.dat"


class TestTruth:
    def test_is_lazy_and_complete(self, grace, no_compute):
        truth = open_truth(grace)
        assert dict(truth.sizes) == {"satellite": 2, "time": 172800, "axis": 3}
        assert truth["lin_accl"].dims == ("satellite", "time", "axis")
        assert truth["lin_accl"].chunks[1] == (86400, 86400)
        assert truth.attrs["source"].startswith("simulated")
        assert str(truth["time"].to_numpy()[86400]) == "2008-01-02T00:00:00.000000000"

    def test_has_no_holes_and_adds_up(self, grace):
        truth = open_truth(grace).isel(time=slice(0, 172800, 7)).compute()
        assert np.isfinite(truth["lin_accl"]).all()
        parts = sum(
            truth[name].astype("f8")
            for name in (
                "drag",
                "solar_radiation",
                "earth_radiation",
                "thruster",
                "twang",
                "noise",
            )
        )
        true = truth["scale"] * truth["lin_accl"] + truth["bias"]
        # the parts are stored in single precision, the bias is 3e-5
        assert float(np.abs(true - parts).max()) < 4e-12
        assert int((truth["observed"] == 0).sum()) == pytest.approx(3600 / 7, abs=1)

    def test_without_files(self, grace, no_compute):
        truth = simulate_truth(days=2, storm="quiet", gaps=GAP)
        assert truth["lin_accl"].shape == (2, 172800, 3)

    def test_without_files_has_the_same_numbers(self, grace):
        made = simulate_truth(days=2, storm="quiet", gaps=GAP)
        day = {"time": slice(86400, 172800)}
        one = made["lin_accl"].isel(day).to_numpy()
        two = open_truth(grace)["lin_accl"].isel(day).to_numpy()
        np.testing.assert_array_equal(one, two)

    def test_absent(self, tmp_path):
        with pytest.raises(FileNotFoundError, match=r"truth\.zarr: no truth"):
            open_truth(tmp_path)


class TestWriting:
    def test_does_not_overwrite_unasked(self, grace):
        with pytest.raises(GraceError, match="overwrite=True"):
            simulate_archive(grace, days=1)

    def test_a_file_in_the_way(self, tmp_path):
        (tmp_path / "x").write_text("")
        with pytest.raises(GraceError, match="expected a folder"):
            simulate_archive(tmp_path / "x", days=1)

    @pytest.mark.parametrize("products", ["ACC1B,XXX1B", [], ["KBR1B"]])
    def test_unknown_products(self, tmp_path, products):
        with pytest.raises(GraceError, match="expected some of ACC1B"):
            simulate_archive(tmp_path / "a", products=products)
        assert not (tmp_path / "a").exists()

    def test_unknown_layout(self, tmp_path):
        with pytest.raises(GraceError, match="'tarballs' or 'files'"):
            simulate_archive(tmp_path / "a", layout="zip")

    def test_interrupted_run_leaves_only_whole_files(self, tmp_path):
        class Stop(Exception):
            pass

        def stop(done: int, total: int) -> None:
            assert total == 3
            if done == 1:
                raise Stop

        folder = tmp_path / "a"
        with pytest.raises(Stop):
            simulate_archive(folder, days=3, products="THR1B", progress=stop)
        day = "grace_1B_2008-01-01_02.tar.gz"
        left = sorted(p.name for p in folder.iterdir())
        assert left[1:] == [day]
        assert left[0].endswith(".unfinished")  # by which the same run may go on
        before = (folder / day).read_bytes()
        with pytest.raises(GraceError, match="exists already"):
            simulate_archive(folder, days=1, products="THR1B")
        # a second run completes it
        simulate_archive(folder, days=3, products="THR1B")
        assert (folder / day).read_bytes() == before
        assert sorted(p.name for p in folder.iterdir()) == [
            *(f"grace_1B_2008-01-0{number}_02.tar.gz" for number in (1, 2, 3)),
            "truth.zarr",
        ]
        with pytest.raises(GraceError, match="exists already"):
            simulate_archive(folder, days=3, products="THR1B")


class TestAnchors:
    def test_quiet(self, grace):
        found = anchors(grace)
        transplant = 1e9 * found["transplant"]
        assert float(transplant.sel(axis="x").max()) < 1.0
        assert float(transplant.sel(axis="z").max()) < 3.0
        swing = 1e9 * found["swing"]
        assert float(swing.sel(axis="x").min()) > 10
        assert float(swing.sel(axis="x").max()) < 350
        for axis in "yz":
            assert float(swing.sel(axis=axis).min()) >= 20
            assert float(swing.sel(axis=axis).max()) <= 80
        assert 10 < 1e9 * float(found["spike"].mean()) < 40
        assert 200 < int(found["firings"].min()) <= int(found["firings"].max()) < 500
        np.testing.assert_allclose(found["noise"], 1.0, atol=0.15)
        assert 21 < float(found["lag"].mean()) < 35
        text = anchors_table(found)
        assert "transplant x" in text
        assert len(text.splitlines()) == 1 + 2 + 2 + 10

    def test_storm(self):
        truth = simulate_truth(start="2005-05-30", days=2, storm="storm")
        found = anchors(truth)
        assert float(found["ap"].max()) > 60
        x = 1e9 * found["transplant"].sel(axis="x")
        assert 1.2 < float(x.max()) < 3.5
        swing = 1e9 * found["swing"].sel(axis="x")
        assert 60 < float(swing.max()) < 350

    def test_a_part_of_the_days(self, grace):
        every = anchors(grace)
        truth = open_truth(grace)
        part = anchors(truth.isel(time=slice(40_000, None)))
        np.testing.assert_array_equal(part["day"], every["day"][1:])
        np.testing.assert_array_equal(part["swing"], every["swing"][1:])
        np.testing.assert_array_equal(part["noise"], every["noise"][1:])
        first = anchors(truth.isel(time=slice(0, 86_400)))
        np.testing.assert_array_equal(first["swing"], every["swing"][:1])
        with pytest.raises(GraceError, match="a whole GPS day"):
            anchors(truth.isel(time=slice(0, 80_000)))
