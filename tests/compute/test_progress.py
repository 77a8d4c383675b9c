"""The progress bar counts, and stays quiet where told."""

from __future__ import annotations

import io

import pytest

from gracelstm_xr.compute.progress import Bar, track


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_text_shows_rate_and_time_left() -> None:
    bar = Bar("read", 200, unit="day", stream=io.StringIO())
    bar.done = 50
    text = bar.text(elapsed=10.0)
    assert text == (
        "read: [#####               ]  25 % 50/200 day, 5 day/s, "
        "0:10 elapsed, 0:30 left"
    )


def test_slow_steps_show_seconds_per_step() -> None:
    bar = Bar("fit", 10, unit="epoch", stream=io.StringIO())
    bar.done = 2
    text = bar.text(elapsed=3600.0, note="loss 0.1")
    assert "1.8e+03 s/epoch" in text
    assert text.endswith("1:00:00 elapsed, 4:00:00 left loss 0.1")


def test_a_log_gets_few_lines() -> None:
    stream = io.StringIO()
    assert list(track(range(1000), "read", stream=stream)) == list(range(1000))
    lines = stream.getvalue().splitlines()
    assert len(lines) == 1
    assert "100 % 1000/1000" in lines[0]


def test_a_terminal_redraws_one_line() -> None:
    stream = Terminal()
    with Bar("read", 3, stream=stream) as bar:
        bar.update(3)
    assert stream.getvalue().count("\r") >= 2
    assert stream.getvalue().endswith("\n")


def test_disabled_bar_writes_nothing() -> None:
    stream = Terminal()
    with Bar("read", 3, stream=stream, enabled=False) as bar:
        bar.update()
    assert stream.getvalue() == ""


def test_unknown_total_and_errors_pass_through() -> None:
    stream = io.StringIO()

    def numbers() -> object:
        yield 1
        raise KeyError("stop")

    with pytest.raises(KeyError, match="stop"):
        list(track(numbers(), "read", stream=stream))  # type: ignore[arg-type]
    assert stream.getvalue().startswith("read: 1 step")
