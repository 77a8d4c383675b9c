"""Factories of tiny Level-1B files."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from l1b_cases import ACC_LINE, VECTORS, YAML_ACC, Case, acc_record


@pytest.fixture
def acc_case() -> Callable[..., Case]:
    """Make an ACC1B case for the seconds given."""

    def make(seconds: list[int], flags: list[int] | None = None) -> Case:
        flags = flags or [0] * len(seconds)
        pairs = list(zip(seconds, flags, strict=True))
        return Case(
            "ACC1B",
            [acc_record(s, f) for s, f in pairs],
            [ACC_LINE.format(second=s, satellite="A", flag=f) for s, f in pairs],
            {"gps_time": seconds, "acc_qualflg": flags},
        )

    return make


@pytest.fixture
def yaml_acc() -> Callable[..., bytes]:
    """Make a GRACE-FO ACC1B text file from its data lines."""

    def make(lines: list[str], *, records: int | None = None, end: str = "\n") -> bytes:
        count = len(lines) if records is None else records
        head = YAML_ACC.format(records=count, vectors=VECTORS)
        return (head + "\n".join(lines) + end).encode()

    return make
