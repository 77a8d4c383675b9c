"""The limit on BLAS threads holds whoever sets it, and is lifted by whoever leaves."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np  # noqa: F401  loads a BLAS
import pytest
from threadpoolctl import threadpool_info

from gracelstm_xr.threads import one_blas_thread


def numbers() -> set[int]:
    """Threads that the loaded BLAS libraries use."""
    return {
        lib["num_threads"] for lib in threadpool_info() if lib["user_api"] == "blas"
    }


@pytest.fixture(autouse=True)
def several() -> None:
    if not numbers() or numbers() == {1}:
        pytest.skip("BLAS has one thread here: there is nothing to limit")


def in_thread(work: Callable[[], object]) -> None:
    with ThreadPoolExecutor(1) as pool:
        pool.submit(work).result()


def test_every_thread_can_limit() -> None:
    before = numbers()

    def limited() -> None:
        with one_blas_thread():
            assert numbers() == {1}
        assert numbers() == before

    limited()
    in_thread(limited)
    limited()
    in_thread(limited)


def test_the_last_to_leave_lifts_the_limit() -> None:
    before = numbers()
    entered, may_leave, left = (threading.Event() for _ in range(3))
    seen: list[set[int]] = []

    def first() -> None:
        with one_blas_thread():
            entered.set()
            may_leave.wait(20)
        left.set()

    thread = threading.Thread(target=first)
    thread.start()
    assert entered.wait(20)
    with one_blas_thread():
        may_leave.set()
        assert left.wait(20)
        seen.append(numbers())
    thread.join()
    assert seen == [{1}]
    assert numbers() == before


def test_an_error_lifts_the_limit() -> None:
    before = numbers()

    def fails() -> None:
        with one_blas_thread():
            raise KeyError("some")

    with pytest.raises(KeyError):
        in_thread(fails)
    assert numbers() == before
