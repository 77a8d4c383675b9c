"""Random damage, and a watch on what it does to a reader.

Every input has a generator of its own, seeded by its number: one input of millions is
made again from its number alone.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import re
import resource
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gracelstm_xr.errors import GraceError

#: Inputs of the long form, as a multiple of what `make test-long` runs.
FACTOR = float(os.environ.get("GRACELSTM_FUZZ", "1"))
#: What no input may cost [s of the processor, bytes].
LONGEST, LARGEST = 5.0, 500 << 20
#: What stands in place of a number, and of any few bytes.
NUMBERS = (
    b"-1 0 1 2 255 65536 4294967295 99999999999 1e400 -1e308 nan inf 0x10 1_0".split()
)
TOKENS = [
    *NUMBERS, b"9" * 5000, b"\0" * 3, b"\x1b[2J", b"\xff\xfe", b"\xe2\x80\xae", b"\n",
    b"\r", b" ", b":", b"- ", b"{", b"[", b"&a ", b"*a", b"!!python/object ", b"'",
    b'"', b"#", b"|", b"%", b"<html>", b"\t", b",", b"G", b"R", b"X", b"END OF HEADER",
    b"# End of YAML header\n", b"bits 0-99999999999 = x", b"\xc3\xa4", b"A+B",
    b"(" * 400,
]  # fmt: skip
_NUMBER = re.compile(rb"[0-9][0-9.]*")

short_and_long = pytest.mark.parametrize(
    "long", [False, pytest.param(True, marks=pytest.mark.long)], ids=["short", "long"]
)


class Watch:
    """Reads inputs one by one, and notes what must not be.

    Parameters
    ----------
    what : str
        Kind of the inputs, for the counts that are printed.
    short, full : int
        Number of inputs of the short and of the long form.
    named : str
        What every refusal has to name.
    """

    def __init__(
        self, what: str, short: int, full: int, *, long: bool, named: str = ""
    ) -> None:
        self.what, self.long, self.named = what, long, named
        self.total = int(full * FACTOR) if long else short
        self.counts: Counter[str] = Counter()
        self.faults: dict[str, str] = {}
        self.slowest = 0.0
        self.base = peak_memory()

    def inputs(self) -> Iterator[tuple[int, random.Random]]:
        """Numbers of the inputs, each with its generator; faults fail at the end."""
        for number in range(self.total):
            yield number, random.Random(number)
        slow = f"slowest {self.slowest:.2f} s, {self.grown() >> 20} MiB more"
        counts = ", ".join(f"{n} {k}" for k, n in sorted(self.counts.items()))
        print(f"\n{self.what}: {self.total} inputs ({counts}; {slow})")
        assert not self.faults, "\n".join(f"{k}: {v}" for k, v in self.faults.items())

    def read(self, number: int, read: Callable[..., Any], *args: Any) -> Any:
        """Read one input; None where it is refused, which takes one plain line."""
        start = time.process_time()
        before = self.grown()
        result = None
        try:
            with warnings.catch_warnings(record=True) as told:
                warnings.simplefilter("always")
                result = read(*args)
        except GraceError as error:
            self.counts["refused"] += 1
            self.check_line(number, str(error))
            if self.named not in str(error):
                self.note(number, "no name", str(error))
        except Exception as error:  # noqa: BLE001  what this is here to find
            self.note(number, f"{type(error).__name__} {place(error)}", str(error))
        else:
            self.counts["read"] += 1
            for warning in told:
                self.check_line(number, str(warning.message))
        taken = time.process_time() - start
        self.slowest = max(self.slowest, taken)
        if self.long and taken > LONGEST:
            self.note(number, "too slow", f"{taken:.1f} s")
        if self.grown() > max(before, LARGEST):
            self.note(number, "too large", f"{self.grown() >> 20} MiB")
        return result

    def check_line(self, number: int, text: str) -> None:
        if not text.isprintable():
            self.note(number, "no plain line", ascii(text)[:300])

    def note(self, number: int, kind: str, words: str) -> None:
        """One example of each kind of fault."""
        self.counts["faults"] += 1
        self.faults.setdefault(kind, f"input {number}: {words[:300]}")

    def grown(self) -> int:
        """Bytes of memory that the peak has grown by."""
        return peak_memory() - self.base


def peak_memory() -> int:
    """Most memory that this process has had [bytes]."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10


def place(error: BaseException) -> str:
    """The innermost line of the package that an error went through."""
    trace, where = error.__traceback__, ""
    while trace is not None:
        name = trace.tb_frame.f_code.co_filename
        if "gracelstm_xr" in name:
            where = f"{Path(name).name}:{trace.tb_lineno}"
        trace = trace.tb_next
    return where


def flipped(content: bytes, bit: int) -> bytes:
    """Content with one bit changed."""
    spoilt = bytearray(content)
    spoilt[bit // 8] ^= 1 << bit % 8
    return bytes(spoilt)


def damaged(content: bytes, rng: random.Random) -> bytes:
    """Content with a few random changes, most of them small."""
    for _ in range(rng.choice((1, 1, 1, 2, 3, 6))):
        content = rng.choice(DAMAGES)(content, rng)
    return content


def flip(content: bytes, rng: random.Random) -> bytes:
    return flipped(content, rng.randrange(8 * len(content))) if content else b"\1"


def cut(content: bytes, rng: random.Random) -> bytes:
    return content[: rng.randrange(len(content) + 1)]


def leave_out(content: bytes, rng: random.Random) -> bytes:
    first = rng.randrange(len(content) + 1)
    return content[:first] + content[first + rng.choice((1, 2, 8, 80, 400)) :]


def put_in(content: bytes, rng: random.Random) -> bytes:
    first = rng.randrange(len(content) + 1)
    return content[:first] + rng.choice(TOKENS) + content[first:]


def put_over(content: bytes, rng: random.Random) -> bytes:
    first, token = rng.randrange(len(content) + 1), rng.choice(TOKENS)
    return content[:first] + token + content[first + len(token) :]


def repeat(content: bytes, rng: random.Random) -> bytes:
    first = rng.randrange(len(content) + 1)
    few = content[first : first + rng.choice((1, 8, 80))]
    times = rng.choice((2, 9, 9, 9, 300) if rng.random() < 0.99 else (20_000,))
    return content[:first] + few * times + content[first:]


def other_bytes(content: bytes, rng: random.Random) -> bytes:
    first, size = rng.randrange(len(content) + 1), rng.choice((1, 2, 4, 8))
    return content[:first] + rng.randbytes(size) + content[first + size :]


def other_number(content: bytes, rng: random.Random) -> bytes:
    """Another number in place of the one that is next, or of its rest."""
    match = _NUMBER.search(content, rng.randrange(len(content) + 1))
    first, last = match.span() if match else (len(content), len(content))
    return content[:first] + rng.choice(NUMBERS) + content[last:]


def swap_lines(content: bytes, rng: random.Random) -> bytes:
    lines = content.split(b"\n")
    one, two = rng.randrange(len(lines)), rng.randrange(len(lines))
    lines[one], lines[two] = lines[two], lines[one]
    return b"\n".join(lines)


DAMAGES = (
    flip, flip, cut, leave_out, put_in, put_over, repeat, other_bytes, other_number,
    other_number, swap_lines,
)  # fmt: skip


def other_json(content: bytes, rng: random.Random) -> bytes:
    """One value of a JSON text is another: negative, huge, of another type."""
    plain = json.loads(content)
    places: list[tuple[Any, Any]] = []
    stack = [plain]
    while stack:
        node = stack.pop()
        pairs = node.items() if isinstance(node, dict) else enumerate(node)
        for key, value in pairs:
            places.append((node, key))
            if isinstance(value, dict | list):
                stack.append(value)
    node, key = rng.choice(places)
    if rng.random() < 0.2:
        del node[key]
    else:
        node[key] = rng.choice(
            [-1, 0, 3, 10**12, 10**30, 1.5, None, "", "\x1b[2J", [], {}, True, "x" * 99]
        )
    return json.dumps(plain).encode()


# a peak of earlier tests would hide the one of an input
with contextlib.suppress(OSError):
    Path("/proc/self/clear_refs").write_text("5")
