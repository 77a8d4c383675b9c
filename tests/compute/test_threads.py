"""The limit on BLAS threads holds whoever sets it, and is lifted by whoever leaves.

In processes of their own: the tests give BLAS one thread, where nothing can be limited.
"""

from __future__ import annotations

import os
import subprocess
import sys

#: What the scripts share; they print the numbers of threads they see.
HEAD = """
import threading
from concurrent.futures import ThreadPoolExecutor
import numpy, scipy.linalg
from threadpoolctl import threadpool_info
from gracelstm_xr.compute.threads import one_blas_thread

def numbers():
    return {i["num_threads"] for i in threadpool_info() if i["user_api"] == "blas"}

def tell():
    print(*sorted(numbers()))

def in_thread(work):
    with ThreadPoolExecutor(1) as pool:
        pool.submit(work).result()

tell()
"""
EVERY = """
def limited():
    with one_blas_thread():
        tell()
    tell()

limited()
in_thread(limited)
limited()
in_thread(limited)
"""
LAST = """
entered, may_leave, left = (threading.Event() for _ in range(3))

def first():
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
    tell()
tell()
"""
ERROR = """
def fails():
    with one_blas_thread():
        tell()
        raise KeyError("some")

try:
    in_thread(fails)
except KeyError:
    tell()
"""


def test_one_blas_thread() -> None:
    """Each script begins with the two threads that the one before has left."""
    expected = {
        HEAD: "2",
        EVERY: "1 2 1 2 1 2 1 2",
        LAST: "1 2",
        ERROR: "1 2",
    }
    done = subprocess.run(
        [sys.executable, "-c", "".join(expected)],
        env={**os.environ, "OPENBLAS_NUM_THREADS": "2"},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=300,
    )
    assert done.stdout.split() == " ".join(expected.values()).split()
