"""Tarballs damaged at random: read, or refused in one line."""

from __future__ import annotations

import gzip
import io
import os
import random
import tarfile
from pathlib import Path

from archives import content as made_content
from fuzzing import Watch, damaged, short_and_long

from gracelstm_xr import l1b

FILES = [
    made_content(p, "2008-01-01", "A", range(2)) for p in ("ACC1B", "SCA1B", "THR1B")
]
NAMES = [name for name, _ in FILES]
#: A name for which tar needs an extended header.
LONG_NAME = f"{'folder/' * 20}{NAMES[0]}"


def packed(form: int, *, more: dict[str, str] | None = None) -> bytes:
    """A tarball as programs of different age write it."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form) as tar:
        for name, data in [*FILES, (LONG_NAME, FILES[0][1])]:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            info.pax_headers = more or {}
            tar.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


SEEDS = [
    packed(tarfile.GNU_FORMAT),
    packed(tarfile.PAX_FORMAT),
    packed(tarfile.PAX_FORMAT, more={"mtime": "1.5", "comment": "made up"}),
]


def spoilt(rng: random.Random) -> bytes:
    """Damage before packing, which no checksum of gzip tells, or after it."""
    seed, way = rng.choice(SEEDS), rng.random()
    if way < 0.2:
        return damaged(gzip.compress(seed, 1), rng)
    if rng.random() < 0.5:
        seed = right_header(damaged(seed, rng), rng)
    else:
        seed = damaged(seed, rng)
    return gzip.compress(seed, 1) if way < 0.5 else seed


def right_header(tar: bytes, rng: random.Random) -> bytes:
    """One header changed, and its checksum as it should be."""
    at = 512 * rng.randrange(max(len(tar) // 512, 1))
    head = bytearray(tar[at : at + 512])
    if len(head) < 512 or head[257:262] != b"ustar":
        return tar
    first, size = rng.choice(((0, 100), (124, 12), (156, 1), (257, 8), (345, 155)))
    token = rng.choice(
        (b"77777777777", b"-1", b"\x80" + b"\xff" * 11, b"x", b"\0", b"S")
    )
    head[first : first + min(size, len(token))] = token[:size]
    head[148:156] = b" " * 8
    head[148:156] = b"%06o\0 " % sum(head)
    return tar[:at] + bytes(head) + tar[at + 512 :]


@short_and_long
def test_tarballs(long: bool, tmp_path: Path) -> None:
    path = tmp_path / "grace_1B_2008-01-01_02.tar.gz"
    watch = Watch("tarballs", 200, 25_000, long=long)

    def read() -> None:
        stored = l1b.members(path)
        wanted = [*NAMES, *stored[:2]]
        content = l1b.read_members(path, wanted, absent_ok=True)
        for name in {*NAMES}.intersection(content):
            l1b.read_bytes(content[name], name, quiet=True)

    for number, rng in watch.inputs():
        path.write_bytes(spoilt(rng))
        os.utime(path, ns=(number, number))
        watch.read(number, read)
