"""What feeds the training holds no windows, and no more for a longer archive."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

from gracelstm_xr.baselines.start import CONTEXT
from gracelstm_xr.filling.fit import load_frame
from gracelstm_xr.filling.model import FittedModel
from gracelstm_xr.lstm import sampling as batches
from gracelstm_xr.lstm.stretches import stretches
from gracelstm_xr.physics.frames import Frame

DAY = 86_400
#: Stretches an epoch visits here, and the bytes a stretch may take.
VISITED, STRETCH = 2, 12_000_000


class Repeated:
    """Day frames of any span: one frame again and again."""

    def __init__(self, frame: Frame) -> None:
        self.frame = frame

    def load(self, name: str, span: tuple[float, float]) -> Frame:
        t = np.arange(span[0], span[1], 10.0)
        index = np.arange(len(t)) % len(self.frame)
        return Frame(**(self.frame.take(index).arrays() | {"t": t}))


@pytest.mark.benchmark
@pytest.mark.slow
@pytest.mark.lstm
def test_memory_of_the_feeder(
    twin: xr.Dataset, model: FittedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "PER_EPOCH", VISITED)
    recipient, settings = model.recipients["B"], replace(model.settings, epochs=1)
    frame = load_frame(twin, recipient.pair, model.split.train).every(10.0)[0]
    held, peak = [], []
    for days in (40, 400):
        parts = stretches((0.0, float(days * DAY)), CONTEXT)
        source = batches.Source(
            Repeated(frame),  # type: ignore[arg-type]
            {"B": recipient.tracks[0]},
            parts,
            settings,
            plan=batches.visits(len(parts), settings, 0),
            stream=1,
            windows=16_384,
        )
        tracemalloc.start()
        epoch = source.epoch(0)
        held.append(tracemalloc.get_traced_memory()[0])
        x, y = epoch.batch(epoch.batches - 1)
        peak.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    # all windows of the epoch in memory would take several times as much
    assert epoch.batches * (x.nbytes + y.nbytes) > 3 * VISITED * STRETCH
    assert max(held) < VISITED * STRETCH
    assert peak[1] < 1.2 * peak[0]
