"""`gracelstm download` against a server on this machine."""

from __future__ import annotations

import base64
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from archives import content, write_tarball

import gracelstm_xr as gx
from gracelstm_xr.archive.download import tarballs
from gracelstm_xr.cli import main
from gracelstm_xr.missions import GRACE, MISSIONS

LOGIN = "Basic " + base64.b64encode(b"gauss:secret").decode()


@dataclass
class Centre:
    """A server of tarballs, and how it behaves."""

    url: str
    files: dict[str, bytes]
    #: Names of tarballs it breaks off in the middle of.
    breaks: set[str] = field(default_factory=set)
    #: Names it asks for a login for, at another host name.
    closed: set[str] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)


class Handler(BaseHTTPRequestHandler):
    centre: Centre

    def do_GET(self) -> None:
        name = self.path.rpartition("/")[2]
        self.centre.asked.append(name)
        here = "login" in self.path
        if here and self.headers.get("Authorization") != LOGIN:
            self.answer(401, b"")
        elif name in self.centre.closed and not here:
            port = self.server.server_address[1]
            self.answer(302, b"", Location=f"http://localhost:{port}/login/{name}")
        elif name not in self.centre.files:
            self.answer(404, b"no such file")
        else:
            data = self.centre.files[name]
            self.answer(200, data, half=name in self.centre.breaks)

    def answer(self, status: int, data: bytes, half: bool = False, **head: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        for name, value in head.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data[: len(data) // 2] if half else data)

    def log_message(self, *_: object) -> None:
        """Nothing on the terminal."""


@pytest.fixture
def centre(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Centre]:
    files = {}
    for day in ("2008-01-01", "2008-01-02", "2008-01-04"):
        members = [content("ACC1B", day, letter) for letter in "AB"]
        name = GRACE.tarball(date.fromisoformat(day), "02")
        path = write_tarball(tmp_path, name, members)
        files[path.name] = path.read_bytes()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Handler.centre = Centre(f"http://127.0.0.1:{server.server_port}/RL02", files)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("no_proxy", "127.0.0.1,localhost")
    yield Handler.centre
    server.shutdown()
    server.server_close()


def run(centre: Centre, first: str, last: str, *more: str) -> int:
    span = ["--mission", "grace", "--start", first, "--stop", last]
    return main(["download", "in", *span, "--url", centre.url, "--quiet", *more])


def names() -> list[str]:
    return sorted(p.name for p in Path("in").iterdir()) if Path("in").exists() else []


def test_fetch_and_go_on(centre: Centre, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(centre, "2008-01-01", "2008-01-01") == 0
    (first,) = names()
    Path("in", first).write_bytes(centre.files[first] + b"\0")  # not to be replaced
    centre.asked.clear()
    capsys.readouterr()
    assert run(centre, "2008-01-01", "2008-01-04") == 0
    assert capsys.readouterr().out.splitlines() == [
        "tarballs in in: 2 fetched, 1 there before",
        "the server has none of 2008-01-03",
    ]
    assert first not in centre.asked
    assert Path("in", first).read_bytes() == centre.files[first] + b"\0"
    assert names() == sorted(centre.files)
    assert gx.open_archive("in", start="2008-01-02").sizes["time"] == 3 * 86_400


def test_broken_off(centre: Centre, capsys: pytest.CaptureFixture[str]) -> None:
    first, second, _ = sorted(centre.files)
    centre.breaks = {second}
    assert run(centre, "2008-01-01", "2008-01-02") == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"gracelstm: error: {centre.url}/{second}: the server")
    assert line.endswith("what is finished is kept: run the same again")
    assert names() == [first]
    centre.breaks.clear()
    assert run(centre, "2008-01-01", "2008-01-02") == 0
    assert names() == [first, second]


def test_login(centre: Centre, capsys: pytest.CaptureFixture[str]) -> None:
    centre.closed = set(centre.files)
    assert run(centre, "2008-01-01", "2008-01-01") == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "access denied (status 401); put your login into ~/.netrc" in line
    assert names() == []
    Path("netrc").write_text("machine localhost login gauss password secret\n")
    assert run(centre, "2008-01-01", "2008-01-01") == 0
    assert len(names()) == 1


def test_what_is_no_tarball(centre: Centre, capsys: pytest.CaptureFixture[str]) -> None:
    first, second, _ = sorted(centre.files)
    centre.files[first] = b"<!DOCTYPE html><title>Log in</title>"
    centre.files[second] = centre.files[second][:-100]
    for day, told in (("01", "web page"), ("02", "corrupt gzip data")):
        assert run(centre, f"2008-01-{day}", f"2008-01-{day}") == 1
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith(f"gracelstm: error: {centre.url}/grace_1B_2008-01-{day}")
        assert told in line
        assert names() == []


def test_wrong_requests(centre: Centre, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(centre, "2009-01-01", "2009-01-02") == 1
    assert "none of 2 tarballs found, the first at http://" in capsys.readouterr().err
    assert run(centre, "2008-01-02", "2008-01-01") == 1
    assert "expected start before stop" in capsys.readouterr().err
    centre.url = "ftp://127.0.0.1/"
    assert run(centre, "2008-01-01", "2008-01-01") == 1
    assert "expected an address that begins with https://" in capsys.readouterr().err
    assert not Path("in").exists()


@pytest.mark.parametrize("mission", MISSIONS, ids=lambda m: m.key)
@pytest.mark.parametrize("centre", ["gfz", "podaac"])
def test_addresses(mission, centre: str) -> None:
    """As the centres give them: folders by year at one, by collection at the other."""
    first, last = tarballs(mission.key, "2019-12-31", "2020-01-01", centre=centre)
    assert (str(first.date), str(last.date)) == ("2019-12-31", "2020-01-01")
    folder = {
        ("gfz", "grace"): "grace/Level-1B/JPL/INSTRUMENT/RL02/2019",
        ("gfz", "grace-fo"): "grace-fo/Level-1B/JPL/INSTRUMENT/RL04/2019",
        ("podaac", "grace"): "podaac-ops-cumulus-protected/GRACE_L1B_GRAV_JPL_RL02",
        ("podaac", "grace-fo"): (
            "podaac-ops-cumulus-protected/GRACEFO_L1B_ASCII_GRAV_JPL_RL04"
        ),
    }[centre, mission.key]
    name = {
        "grace": "grace_1B_2019-12-31_02.tar.gz",
        "grace-fo": "gracefo_1B_2019-12-31_RL04.ascii.noLRI.tgz",
    }[mission.key]
    assert first.url.partition("//")[2].partition("/")[2] == f"{folder}/{name}"
    assert first.name == name


def test_without_requests(
    centre: Centre,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setitem(sys.modules, "requests", None)
    assert run(centre, "2008-01-01", "2008-01-01") == 1
    assert capsys.readouterr().err == (
        "gracelstm: error: found no package requests, which fetches files; pip "
        "install requests\n"
    )
    assert not Path("in").exists()
