"""The figure benchmark at a small size: memory is bounded, a spike is seen."""

from __future__ import annotations

import tracemalloc
from typing import Any

import dask
import numpy as np
import pytest
from bench_plot import DAY, FIGURES, HEIGHT, HOLE, SPIKE, twin_data


@pytest.fixture(scope="module")
def figures() -> Any:
    """Axes of every figure of 40 days in chunks of one, and peak memory [bytes]."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt
    import scipy.signal  # noqa: F401  (memory counts after the imports)

    ds = twin_data(40, chunk_days=1)
    plt.subplots()
    found = {}
    # one block at a time: a scheduler holds as many blocks as it has threads
    with dask.config.set(scheduler="sync"):
        for name, draw in FIGURES.items():
            tracemalloc.start()
            ax = draw(ds.grace.plot)
            found[name] = ax, tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
    yield found
    plt.close("all")


@pytest.mark.benchmark
@pytest.mark.slow
@pytest.mark.parametrize("name", list(FIGURES))
def test_memory_is_that_of_a_few_blocks(figures: Any, name: str) -> None:
    """One satellite's accelerations take 83 MB, a block 2 MB."""
    whole = 40 * DAY * 3 * 8
    assert figures[name][1] < 0.3 * whole


@pytest.mark.benchmark
@pytest.mark.slow
def test_spike_and_lost_second_are_drawn(figures: Any) -> None:
    from matplotlib.dates import date2num

    number: Any = date2num
    start = np.datetime64("2008-01-01")
    ax = figures["series"][0]
    line = ax.get_lines()[0]
    top = np.nanargmax(line.get_ydata())
    assert line.get_ydata()[top] > 0.9e9 * HEIGHT
    assert line.get_xdata()[top] == start + np.timedelta64(SPIKE, "s")
    marks = [p for c in ax.collections for p in c.get_paths()]
    (mark,) = marks
    lost = number(start + np.timedelta64(HOLE, "s"))
    assert mark.get_extents().x0 <= lost <= mark.get_extents().x1
    for name in ("latitude_time", "ground_track"):
        (circle,) = (c for c in figures[name][0].collections[1:])
        assert len(circle.get_offsets()) == 1
    table = figures["calendar"][0].collections[0].get_array()
    assert table[0, HOLE // DAY] == 1
    labels = [t.get_text() for t in figures["gaps"][0].get_yticklabels()]
    assert labels[0].startswith("A  1 gap")
