"""Hyperparameters and the split of time."""

from __future__ import annotations

from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gracelstm_xr.lstm.settings import Settings, Split


def test_an_unknown_name_is_answered_with_the_list() -> None:
    with pytest.raises(TypeError) as error:
        Settings.from_keywords({"epoch": 3})
    text = str(error.value)
    assert "'epoch'" in text
    assert all(f.name in text for f in fields(Settings))
    assert "\n" not in text


@pytest.mark.parametrize(
    "wrong",
    [
        {"step": 0},
        {"window": -1},
        {"epochs": 0},
        {"windows_per_epoch": 0},
        {"batch_size": 0},
        {"learning_rate": 0.0},
        {"shortest_gap": -5.0},
        {"units": ()},
        {"units": (8, 0)},
        {"train": 1.0},
        {"train": 0.7, "validation": 0.4},
        {"validation": 0.0},
        {"hidden_fraction": 1.0},
        {"loss": "rmse"},
        {"optimiser": "lion"},
        {"schedule": "step"},
        {"patience": 0},
        {"patience": 2.5},
        {"ensemble": 0},
        {"gaps_per_length": 0},
        {"ensemble": True},
        {"open_ends": 1.0},
        {"dropout": -0.1},
        {"longest_gap": 10.0},
        {"features": ("donor", "donor")},
        {"features": 3},
        {"units": ("8",)},
        {"units": (8, 4), "layers": 3},
        {"layers": 0},
        {"epochs": "12"},
        {"learning_rate": "fast"},
        {"seed": -1},
    ],
)
def test_values_out_of_range(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="expected"):
        Settings.from_keywords(wrong)


def test_some_time_must_be_left_for_evaluation() -> None:
    with pytest.raises(ValueError, match="evaluation"):
        Settings.from_keywords({"train": 0.7, "validation": 0.3})


def test_units_as_a_number_or_a_list() -> None:
    assert Settings.from_keywords({"units": 8}).units == (8,)
    assert Settings.from_keywords({"units": [8, 4]}).units == (8, 4)


def test_layers_repeat_units() -> None:
    assert Settings.from_keywords({"units": 8, "layers": 3}).units == (8, 8, 8)
    assert Settings.from_keywords({"layers": 2}).units == (48, 48)
    assert Settings.from_keywords({"units": (8, 4), "layers": 2}).units == (8, 4)


def test_features_as_a_name_or_a_list() -> None:
    assert Settings.from_keywords({"features": "orbit"}).features == ("orbit",)
    assert Settings.from_keywords({"features": ["sun", "time"]}).features == (
        "sun",
        "time",
    )
    assert Settings.from_keywords({"patience": None}).patience is None


def test_plain_values_come_back() -> None:
    made = Settings.from_keywords({"epochs": 3, "units": (4, 4), "seed": 9})
    assert Settings.from_keywords(made.to_dict()) == made


@given(
    st.integers(0, 10**9),
    st.floats(7200, 1e8),
    st.floats(0.2, 0.7),
    st.floats(0.05, 0.2),
    st.floats(0, 2e5),
)
def test_parts_are_in_order_and_apart(
    start: int, span: float, train: float, validation: float, embargo: float
) -> None:
    settings = Settings(train=train, validation=validation, embargo=embargo)
    split = Split.of(float(start), start + span, settings)
    edges = [*split.train, *split.validation, *split.test]
    assert edges == sorted(edges)
    assert edges[0] == start
    assert edges[-1] == start + span
    apart = min(embargo, span / 20)
    assert split.validation[0] - split.train[1] >= apart - 10
    assert split.test[0] - split.validation[1] >= apart - 10
    part = (split.train[1] - split.train[0]) / (span - 2 * apart)
    assert part == pytest.approx(train, abs=20 / span + 1e-6)
