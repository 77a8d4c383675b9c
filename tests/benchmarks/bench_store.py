"""Size and speed of one store array under several codecs, lossless and quantised.

``python tests/benchmarks/bench_store.py [DAYS [L1B_FILE ...]]`` prints a table for
``lin_accl`` of a simulated GRACE archive (2 days by default, seed 0) and of every
Level-1B accelerometer file named, then the ratios of goal G6. Chunks and shards are
those of `gracelstm_xr.store.write`. Sizes repeat exactly; speeds are of this machine. A
file of less than an hour is refused: bit shuffling works on blocks of thousands.
"""

from __future__ import annotations

import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from bench_reading import Ratio, seconds
from zarr.codecs import BloscCodec, ZstdCodec

DAY = 86_400
STEP = "1e-13"


@dataclass(frozen=True)
class Row:
    """One codec on one array: bytes stored over float64 bytes, and MB/s of those."""

    data: str
    codec: str
    ratio: float
    write: float
    read: float

    def __str__(self) -> str:
        speeds = f"{self.write:>9.0f}{self.read:>9.0f}"
        return f"{self.data:<20}{self.codec:<34}{self.ratio:>8.3f}{speeds}"


HEADER = f"{'data':<20}{'codec':<34}{'ratio':>8}{'write':>9}{'read':>9}  [MB/s]"


def _blosc(cname: str, shuffle: str, width: int = 8, clevel: int = 2) -> list[Any]:
    return [BloscCodec(typesize=width, cname=cname, clevel=clevel, shuffle=shuffle)]


def lossless_codecs() -> dict[str, list[Any] | str]:
    return {
        "Zarr default": "auto",
        "zstd 9": [ZstdCodec(level=9)],
        "blosc lz4 shuffle": _blosc("lz4", "shuffle"),
        "blosc lz4 bitshuffle": _blosc("lz4", "bitshuffle"),
        "blosc zstd shuffle": _blosc("zstd", "shuffle"),
        "blosc zstd bitshuffle (the store)": _blosc("zstd", "bitshuffle"),
        "blosc zstd bitshuffle, level 5": _blosc("zstd", "bitshuffle", clevel=5),
        "blosc zstd bitshuffle, level 9": _blosc("zstd", "bitshuffle", clevel=9),
    }


def quantised_codecs() -> dict[str, list[Any] | str]:
    return {
        "int32, Zarr default": "auto",
        "int32, blosc lz4 bitshuffle": _blosc("lz4", "bitshuffle", 4),
        "int32, blosc zstd shuffle": _blosc("zstd", "shuffle", 4),
        "int32, blosc zstd bitshuffle": _blosc("zstd", "bitshuffle", 4),
    }


def simulated(folder: Path, days: int) -> np.ndarray[Any, Any]:
    """`lin_accl` (satellite, time, axis) of a simulated twin archive."""
    import gracelstm_xr as gx

    gx.simulate_archive(folder, mission="grace", start="2008-01-01", days=days, seed=0)
    ds = gx.open_archive(folder, products=["ACC1B"])
    return np.asarray(ds["lin_accl"].transpose("satellite", "time", "axis").values)


def of_file(path: Path) -> np.ndarray[Any, Any]:
    """`lin_accl` (1, time, axis) of one accelerometer file."""
    from gracelstm_xr import l1b

    found = np.asarray(l1b.read(path, fields=["lin_accl"]).columns["lin_accl"])
    if len(found) < 3600:
        raise SystemExit(
            f"{path.name} has {len(found)} records, 3600 expected at least"
        )
    return found[None]


def measure_codec(
    data: str, codec: str, values: Any, compressors: Any, folder: Path
) -> Row:
    """Write and read `values` once; packing counts as part of both."""
    from gracelstm_xr.core.packing import MISSING, pack, quantisation_step

    step = quantisation_step(STEP) if codec.startswith("int32") else None
    chunk = min(DAY, values.shape[1])
    path = folder / "array.zarr"
    array = zarr.create_array(
        path,
        shape=values.shape,
        dtype="int32" if step else "float64",
        chunks=(1, chunk, 3),
        shards=(1, chunk * min(10, -(-values.shape[1] // chunk)), 3),
        compressors=compressors,
        fill_value=MISSING if step else np.nan,
        overwrite=True,
    )

    def write() -> None:
        array[:] = pack(values, step) if step else values

    def read() -> Any:
        found = array[:]
        if not step:
            return found
        return np.where(found == MISSING, np.nan, found * step)

    megabytes = values.size * 8e-6
    speeds = megabytes / seconds(write, 3), megabytes / seconds(read, 3)
    worst = np.nanmax(np.abs(read() - values))
    if worst > (step or 0) / 2 * (1 + 1e-6):
        raise AssertionError(f"{codec} errs by {worst:g}")
    files = (p for p in path.rglob("*") if p.is_file() and p.name != "zarr.json")
    stored = sum(p.stat().st_size for p in files)
    return Row(data, codec, stored / (values.size * 8), *speeds)


def measure(
    days: int = 2, files: list[Path] | None = None
) -> tuple[list[Row], list[Ratio]]:
    """Every codec on every data set, and the two ratios of goal G6."""
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        data = {"simulated, seed 0": simulated(folder / "archive", days)}
        data |= {f"real {path.name[6:18]}": of_file(path) for path in files or []}
        for label, values in data.items():
            for codec, compressors in (lossless_codecs() | quantised_codecs()).items():
                rows.append(measure_codec(label, codec, values, compressors, folder))
    lossless, packed = (
        [r for r in rows if r.codec.startswith(name)]
        for name in ("blosc zstd bitshuffle (", "int32, blosc zstd bitshuffle")
    )
    ratios = [
        Ratio(f"G6 lin_accl lossless / float64, {r.data}", r.ratio, 0.75, False)
        for r in lossless
    ] + [
        Ratio(f"G6 lin_accl at {STEP} / float64, {r.data}", r.ratio, 0.25, False)
        for r in packed
    ]
    return rows, ratios


if __name__ == "__main__":
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 2
    found, goals = measure(count, [Path(name) for name in sys.argv[2:]])
    print(HEADER, *found, *goals, sep="\n")
