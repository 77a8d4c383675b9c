"""Preloaded by Dask workers: a shard takes so long that a test can interfere."""

import time
from typing import Any

from gracelstm_xr.store import manifest, shard


def _late(group: Any, record: Any) -> None:
    manifest.write_record(group, record)
    time.sleep(0.3)


shard.write_record = _late
