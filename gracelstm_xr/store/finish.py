"""The last step of every writer: a store says what it holds, and gets its name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from gracelstm_xr.store.agree import form_of
from gracelstm_xr.store.layout import with_arrays
from gracelstm_xr.store.location import META, Target
from gracelstm_xr.store.manifest import ShardRecord, observed
from gracelstm_xr.store.stored import written

#: What a store says about itself only while it is being written: what was asked for,
#: the run at work, that it is not complete, and the variables that have their arrays.
PASSING = ("request", "run", "pending", "made")


def finish(
    target: Target,
    records: Iterable[ShardRecord],
    *,
    shard: int,
    replace: bool,
    attrs: Mapping[str, Any],
    said: Mapping[str, Any] | None = None,
) -> None:
    """Write the root of a finished store, and give the store its name.

    The root holds the metadata of the arrays, too: other programs open the store by
    this one object. This package reads the arrays' own metadata, and whatever it
    writes to the root before it changes an array drops the copy, so that there is
    none while a store grows.

    Parameters
    ----------
    target : Target
    records : iterable of ShardRecord
        Of all shards.
    shard : int
        Steps of a shard.
    replace : bool
        Whether a finished store of that name may be replaced.
    attrs : mapping
        Attributes of the root.
    said : mapping, optional
        Added to what the store says about itself.
    """
    group = target.group()
    before: dict[str, Any] = group.attrs.asdict()[META]
    meta = {
        **{name: value for name, value in before.items() if name not in PASSING},
        **(said or {}),
        "complete": True,
        "observed": observed(records),
        "arrays": {name: form_of(array) for name, array in sorted(group.arrays())},
        "written": written(group, shard),
    }
    root = {**attrs, META: meta}
    with_arrays(group, root).attrs.put(root)
    target.publish(replace=replace)
