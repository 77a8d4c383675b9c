"""Tarballs: members, one pass, checksums, deterministic writing."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
from pathlib import Path

import numpy as np
import pytest

from gracelstm_xr import l1b
from gracelstm_xr.errors import L1BFormatError

T = 116769600
ACC_C = "ACC1B_2030-01-01_C_04.txt"
LINES = ["946728000 C 1 2 3 0 0 0 0 0 0  00000000"]


def tar(path: Path, members: dict[str, bytes], *, compress: bool = True) -> Path:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as out:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            out.addfile(info, io.BytesIO(data))
    raw = buffer.getvalue()
    path.write_bytes(gzip.compress(raw) if compress else raw)
    return path


def checksum(members: dict[str, bytes]) -> bytes:
    return "".join(
        f"{hashlib.md5(d).hexdigest()}  {n}\n" for n, d in members.items()
    ).encode()


@pytest.mark.parametrize("compress", [True, False])
@pytest.mark.parametrize("folder", ["", "grace_1B_2003-09-14_02/"])
def test_member_is_read_in_place(tmp_path, acc_case, compress, folder):
    case = acc_case([T, T + 1])
    name = f"{case.stem}.dat"
    path = tar(
        tmp_path / "grace_1B_2003-09-14_02.tar.gz",  # the name may lie
        {f"{folder}other.rpt": b"x", f"{folder}{name}": case.dat()},
        compress=compress,
    )
    for member in (name, f"{folder}{name}"):
        url = f"tar://{member}::{path}"
        assert l1b.read(url, strict=True).columns["gps_time"].tolist() == [T, T + 1]
        assert l1b.read_header(url).records == 2
    assert list(l1b.members(path)) == [f"{folder}other.rpt", f"{folder}{name}"]


def test_gzip_member_inside(tmp_path, acc_case):
    case = acc_case([T])
    path = tar(tmp_path / "a.tar", {f"{case.stem}.dat.gz": gzip.compress(case.dat())})
    url = f"tar://{case.stem}.dat.gz::{path}"
    assert l1b.read(url).report.records == 1
    assert l1b.read_header(url).records == 1


def test_archive_may_be_a_url(tmp_path, acc_case):
    import fsspec

    case = acc_case([T])
    path = tar(tmp_path / "a.tgz", {f"{case.stem}.dat": case.dat()})
    fsspec.filesystem("memory").pipe("/t/a.tgz", path.read_bytes())
    found = l1b.read(f"tar://{case.stem}.dat::memory://t/a.tgz", strict=True)
    assert found.report.records == 1


def test_damage_behind_the_wanted_member_is_noticed(tmp_path, acc_case):
    case = acc_case([T])
    noise = np.random.default_rng(0).bytes(1 << 20)
    path = tar(
        tmp_path / "a.tar.gz", {f"{case.stem}.dat": case.dat(), "big.dat": noise}
    )
    wanted = [f"{case.stem}.dat"]
    assert l1b.read_members(path, wanted) == {wanted[0]: case.dat()}
    path.write_bytes(path.read_bytes()[: 1 << 19])
    for call in (
        lambda: l1b.read_members(path, wanted),
        lambda: l1b.read_header(f"tar://{wanted[0]}::{path}"),
        lambda: l1b.members(path),
    ):
        with pytest.raises(L1BFormatError, match="corrupt gzip"):
            call()


def test_missing_member_says_what_is_there(tmp_path):
    path = tar(tmp_path / "a.tar.gz", {"b.rpt": b"", "c.rpt": b""})
    for call in (
        lambda: l1b.read(f"tar://{ACC_C}::{path}"),
        lambda: l1b.read_header(f"tar://{ACC_C}::{path}"),
        lambda: l1b.read_members(path, ["b.rpt", ACC_C]),
    ):
        with pytest.raises(
            FileNotFoundError, match=rf"no member {ACC_C}.*b.rpt, c.rpt"
        ):
            call()


def test_not_an_archive(tmp_path, acc_case):
    path = tmp_path / "a.tar.gz"
    path.write_bytes(b"something else" * 100)
    with pytest.raises(L1BFormatError, match="not a tar archive"):
        list(l1b.members(path))
    with pytest.raises(L1BFormatError, match="expected tar://MEMBER::ARCHIVE"):
        l1b.read("tar://alone")
    good = tar(tmp_path / "b.tar", {"x": bytes(9)}, compress=False)
    with pytest.raises(L1BFormatError, match="is a tar archive; name a member"):
        l1b.read(good)


def test_truncated_archive(tmp_path, acc_case):
    case = acc_case([T + i for i in range(500)])
    path = tar(tmp_path / "a.tar.gz", {f"{case.stem}.dat": case.dat()})
    path.write_bytes(path.read_bytes()[:-400])
    with pytest.raises(L1BFormatError, match=r"corrupt gzip|damaged tar"):
        l1b.read(f"tar://{case.stem}.dat::{path}")


def number(value: int) -> bytes:
    return b"%011o\0" % value


def header(name: bytes, size: bytes, kind: bytes = b"0") -> bytes:
    """Member header with a valid checksum."""
    head = bytearray(512)
    head[: len(name)] = name
    head[124 : 124 + len(size)] = size
    head[156:157] = kind
    head[257:263] = b"ustar\0"
    head[148:156] = b" " * 8
    head[148:156] = b"%06o\0 " % sum(head)
    return bytes(head)


def padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 512)


def pax(**records: str) -> bytes:
    lines = b""
    for key, value in records.items():
        text = f" {key.replace('__', '.')}={value}\n".encode()
        length = len(text) + len(str(len(text) + 2))
        lines += str(length).encode() + text
    return header(b"pax", number(len(lines)), b"x") + padded(lines)


MEMBER = header(b"a.dat", number(3)) + padded(b"abc")
END = bytes(1024)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (MEMBER + b"x" + MEMBER[1:] + END, "a member header is broken"),
        (MEMBER + bytes(512) + MEMBER + END, "something behind its end mark"),
        (MEMBER + END + MEMBER + END, "something behind its end mark"),
        (MEMBER + MEMBER, "ends without an end mark"),
        (MEMBER + MEMBER[:100], "ends within a member header"),
        (header(b"a.dat", number(5000)) + bytes(512), "a.dat ends early"),
        (header(b"a.dat", b"\xff" * 12) + END, "a number in a member header is broken"),
        (header(b"a.dat", b"-0000000001\0") + END, "a number in a member header"),
        (header(b"a.dat", b"\x80" + b"\x7f" * 11) + END, "a member announces"),
        (header(b"a", number(1 << 32), b"x") + END, "header announces 4294967296"),
        (header(b"a", number(1 << 32), b"L") + END, "header announces 4294967296"),
        (header(b"a", number(9), b"x") + padded(b"99 path=a") + END, "extended header"),
        (pax(size="9" * 5000) + MEMBER + END, "announces a size of b'9999"),
        (pax(size="-5") + MEMBER + END, "announces a size of b'-5'"),
        (pax(GNU__sparse__major="1") + MEMBER + END, "sparse file"),
        (header(b"a.dat", number(0), b"S") + END, "sparse file"),
    ],
)  # fmt: skip
def test_damage_is_never_taken_for_the_end(tmp_path, content, message):
    for suffix, data in (("tar", content), ("tgz", gzip.compress(content))):
        path = tmp_path / f"a.{suffix}"
        path.write_bytes(data)
        for call in (l1b.members, lambda p: l1b.read_members(p, ["a.dat"])):
            with pytest.raises(L1BFormatError, match=message) as caught:
                call(path)
            assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    "form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]
)
def test_every_form_of_tar_is_read(tmp_path, form):
    """As Python's own reader does: long names, folders, links, large numbers."""
    path = tmp_path / "a.tar"
    names = ["a.dat", f"{'d' * 90}/{'e' * 60}.dat", "folder/b.dat"]
    names += [] if form == tarfile.USTAR_FORMAT else [f"{'f' * 300}.dat", "ä.dat"]
    with tarfile.open(path, "w", format=form) as out:
        folder = tarfile.TarInfo("folder")
        folder.type = tarfile.DIRTYPE
        out.addfile(folder)
        for count, name in enumerate(names):
            info = tarfile.TarInfo(name)
            info.size = 511 + count
            info.mtime = 1 << 40 if form == tarfile.GNU_FORMAT else 1.5
            out.addfile(info, io.BytesIO(bytes([count + 1]) * info.size))
        link = tarfile.TarInfo("link.dat")
        link.type, link.linkname = tarfile.SYMTYPE, "a.dat"
        out.addfile(link)
    assert list(l1b.members(path)) == names
    content = l1b.read_members(path, names)
    assert [content[n] for n in names] == [
        bytes([i + 1]) * (511 + i) for i in range(len(names))
    ]


def test_a_member_too_large_for_memory(tmp_path):
    """8 GB announced, or much from little gzip: refused before it is unpacked."""
    announced = tmp_path / "a.tar"
    announced.write_bytes(header(b"a.dat", b"\x80" + (1 << 33).to_bytes(11, "big")))
    with pytest.raises(L1BFormatError, match=r"a\.dat: more than 256 MiB"):
        l1b.read_members(announced, ["a.dat"])
    bomb = gzip.compress(bytes(1 << 24), 1) * 8
    packed = tmp_path / "ACC1B_2008-01-01_A_02.dat.gz"
    packed.write_bytes(bomb)
    with pytest.raises(L1BFormatError, match="more than 50 times its size"):
        l1b.read(packed)
    tarball = tmp_path / "b.tgz"
    tarball.write_bytes(gzip.compress(header(b"b", number(1 << 30))) + bomb)
    with pytest.raises(L1BFormatError, match="more than 50 times its size"):
        l1b.members(tarball)


@pytest.mark.parametrize("first", [True, False])
def test_wrong_checksum_is_found_wherever_the_list_stands(tmp_path, yaml_acc, first):
    good = {ACC_C: yaml_acc(LINES), "x.rpt": b"report"}
    listed = {"checksum": checksum(good)}
    bad = {**good, ACC_C: yaml_acc(LINES).replace(b" 1 2 3 ", b" 1 2 4 ")}
    for content, ok in ((good, True), (bad, False)):
        order = {**listed, **content} if first else {**content, **listed}
        path = tar(tmp_path / f"gracefo_{ok}_{first}.tgz", order)
        url = f"tar://{ACC_C}::{path}"
        if ok:
            assert l1b.read(url, strict=True).columns["lin_accl"][0, 2] == 3
            assert set(l1b.verify_checksums(path)) == {ACC_C, "x.rpt"}
            continue
        for call in (lambda u=url: l1b.read(u), lambda p=path: l1b.verify_checksums(p)):
            with pytest.raises(L1BFormatError, match=f"wrong checksum of {ACC_C}"):
                call()
        # A second read remembers the list and still refuses.
        with pytest.raises(L1BFormatError, match="wrong checksum"):
            l1b.read(url)
        skipped = l1b.read_members(path, [ACC_C], verify=False)
        assert skipped[ACC_C] == bad[ACC_C]


def test_listed_member_that_is_missing(tmp_path, yaml_acc):
    content = {ACC_C: yaml_acc(LINES), "x.rpt": b"report"}
    listed = {"checksum": checksum(content), ACC_C: content[ACC_C]}
    with pytest.raises(L1BFormatError, match=r"missing x\.rpt"):
        l1b.verify_checksums(tar(tmp_path / "a.tgz", listed))
    bare = tar(tmp_path / "b.tgz", content)
    assert l1b.verify_checksums(bare) == ()
    with pytest.raises(L1BFormatError, match="no checksum member"):
        l1b.read_members(bare, [ACC_C], verify=True)


def test_written_archives_are_equal_byte_for_byte(tmp_path, yaml_acc):
    content = {ACC_C: yaml_acc(LINES), "x.rpt": b"report"}
    first = l1b.write_archive(tmp_path / "a.tgz", content, checksum=True)
    second = l1b.write_archive(tmp_path / "b.tgz", content, checksum=True)
    assert first.read_bytes() == second.read_bytes()
    assert first.read_bytes()[:2] == b"\x1f\x8b"
    with tarfile.open(first) as archive:
        infos = archive.getmembers()
        listed = archive.extractfile("checksum")
        assert listed is not None
        assert listed.read() == checksum(content)
    assert [i.name for i in infos] == ["checksum", ACC_C, "x.rpt"]
    assert {(i.mtime, i.uid, i.gid, i.uname) for i in infos} == {(0, 0, 0, "")}
    assert set(l1b.verify_checksums(first)) == set(content)
    plain = l1b.write_archive(tmp_path / "c.tar", content, checksum=False)
    assert list(l1b.members(plain)) == [ACC_C, "x.rpt"]


def test_failed_write_leaves_nothing(tmp_path):
    with pytest.raises(TypeError):
        l1b.write_archive(tmp_path / "a.tgz", {"x": 5}, checksum=False)  # type: ignore[dict-item]
    assert list(tmp_path.iterdir()) == []
