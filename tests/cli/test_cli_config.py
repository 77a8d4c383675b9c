"""Hyperparameters from a file: ``gracelstm fit --config``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gracelstm_xr import lstm
from gracelstm_xr.cli import main
from gracelstm_xr.cli.config import read_config
from gracelstm_xr.errors import GraceError

VALUES = {"units": [8, 4], "epochs": 3, "learning_rate": 0.002, "recipient": "B"}
FILES = {
    "a.toml": 'units = [8, 4]\nepochs = 3\nlearning_rate = 2e-3\nrecipient = "B"\n',
    "a.yaml": "units: [8, 4]\nepochs: 3\nlearning_rate: 2.0e-3\nrecipient: B\n",
    "a.yml": "{units: [8, 4], epochs: 3, learning_rate: 0.002, recipient: B}",
    "a.json": '{"units": [8,4], "epochs": 3, "learning_rate": 0.002, "recipient": "B"}',
}


@pytest.mark.parametrize("name", FILES)
def test_every_kind_reads_the_same(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(FILES[name])
    assert read_config(str(tmp_path / name)) == VALUES


@pytest.mark.parametrize(
    ("name", "text", "match"),
    [
        ("a.ini", "", "expected a file in .toml, .yaml, .yml, .json"),
        ("a.toml", "units: 3", "cannot be read as toml"),
        ("a.json", "{", "cannot be read as json"),
        ("a.yaml", "a: [1", "cannot be read as yaml"),
        ("a.yaml", "!!python/object/apply:os.system [true]", "cannot be read as yaml"),
        ("a.json", "[" * 100_000, "cannot be read as json"),
        ("a.yaml", "[" * 5_000, "cannot be read as yaml"),
        ("a.toml", "a = " + "[" * 5_000, "cannot be read as toml"),
        ("a.toml", "a = '\x00'", "cannot be read as toml"),
        ("a.json", "[1]", "found list"),
        ("a.yaml", "", "found NoneType"),
        ("a.yaml", "1: 2", "expected names and values"),
    ],
)
def test_a_wrong_file_is_told_in_one_line(
    name: str, text: str, match: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(GraceError, match=match) as error:
        read_config(str(tmp_path / name))
    assert "\n" not in str(error.value)


@pytest.fixture
def asked(
    tmp_path: Path, make_grid: Any, monkeypatch: pytest.MonkeyPatch
) -> dict[str, Any]:
    """What `fit` was called with."""
    make_grid(size=3600).grace.to_zarr(tmp_path / "s.zarr")
    found: dict[str, Any] = {}

    def fit(ds: Any, **options: Any) -> None:
        found.update(options)
        raise GraceError("stopped")

    monkeypatch.setattr(lstm, "fit", fit)
    return found


def test_the_command_line_goes_first(
    asked: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "a.toml"
    config.write_text(FILES["a.toml"] + "seed = 4\n")
    base = ["fit", str(tmp_path / "s.zarr"), str(tmp_path / "m"), "--quiet"]
    assert main([*base, "--config", str(config), "--epochs", "7"]) == 1
    assert asked == VALUES | {"epochs": 7, "seed": 4, "progress": False}
    asked.clear()
    folder = str(tmp_path / "state")
    assert main([*base, "--seed", "0", "--checkpoint", folder]) == 1
    assert asked == {"seed": 0, "checkpoint": folder, "progress": False}
    asked.clear()
    assert main(base) == 1
    assert asked == {"progress": False}
    assert "stopped" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("line", "match"),
    [
        ("epoch = 3", "'epoch', expected one of step, window"),
        ("network = 'mine'", "'network'"),
        ("progress = true", "'progress'"),
        ("epochs = 'many'", "a whole number"),
    ],
)
def test_unknown_names_are_told_before_anything_is_read(
    line: str, match: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "a.toml"
    config.write_text(line)
    status = main(
        [
            "fit",
            str(tmp_path / "none.zarr"),
            str(tmp_path / "m"),
            "--config",
            str(config),
        ]
    )
    told = capsys.readouterr().err
    assert status == 1
    assert match in told
    assert told.count("\n") == 1


def test_a_missing_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(tmp_path / "none.toml")
    assert (
        main(["fit", str(tmp_path / "s"), str(tmp_path / "m"), "--config", path]) == 1
    )
    assert "none.toml: No such file" in capsys.readouterr().err
