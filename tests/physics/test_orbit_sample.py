"""Orbit and attitude of the real day 2003-09-14."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gracelstm_xr import l1b
from gracelstm_xr.physics import attitude, earth
from gracelstm_xr.physics.attitude import Attitude
from gracelstm_xr.physics.lag import lag_to_twin
from gracelstm_xr.physics.states import StateNodes

Columns = dict[str, np.ndarray]
NAMES = ("GNV1B_2003-09-14_A_00", "GNV1B_2003-09-14_B_00", "SCA1B_2003-09-14_A_00",
         "SCA1B_2003-09-14_B_00")  # fmt: skip


@pytest.fixture(scope="module")
def sample(shared_data: Path) -> dict[str, Columns]:
    folder = shared_data / "jpl_sample"
    if not folder.is_dir():
        pytest.skip("no real sample files next to the checkout")
    return {n[:5] + n[-4]: l1b.read(folder / f"{n}.dat").columns for n in NAMES}


def real_nodes(columns: Columns) -> StateNodes:
    t = columns["gps_time"].astype(float)
    return StateNodes.from_grid(t, columns["position"], columns["velocity"])


def angle(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Angles between unit rows [degree]."""
    return np.rad2deg(np.arccos(np.clip((a * b).sum(axis=1), -1, 1)))


def test_a_leads_by_28_8_seconds(sample: dict[str, Columns]) -> None:
    a, b = real_nodes(sample["GNV1BA"]), real_nodes(sample["GNV1BB"])
    t = a.t[10:-10:2]
    lag = lag_to_twin(b, a, t)
    assert np.mean(lag) == pytest.approx(-28.8, abs=0.3)
    # B comes to where A is now, and from there A went as much earlier
    back = lag_to_twin(a, b, t + lag)
    assert np.abs(lag + back).max() < 0.01


def test_real_epochs_predict_each_other_to_a_decimetre(
    sample: dict[str, Columns],
) -> None:
    nodes = real_nodes(sample["GNV1BA"])
    some = StateNodes(nodes.t[::2], nodes.position[::2], nodes.velocity[::2])
    position, _ = some.at(nodes.t[1:-1:2])
    error = np.linalg.norm(position - nodes.position[1:-1:2], axis=1)
    # 120 s apart; neglected terms of the gravity field, 64 times less at 60 s
    assert error.max() < 0.3


@pytest.mark.parametrize(
    ("name", "twin", "facing"), [("A", "B", -1.0), ("B", "A", 1.0)]
)
def test_z_is_down_and_x_at_the_twin(
    sample: dict[str, Columns], name: str, twin: str, facing: float
) -> None:
    columns = sample[f"SCA1B{name}"]
    t = columns["gps_time"].astype(float)
    here, velocity = real_nodes(sample[f"GNV1B{name}"]).at(t)
    there, _ = real_nodes(sample[f"GNV1B{twin}"]).at(t)
    # the star cameras' frame is the celestial one
    axes = attitude.quaternion_matrix(columns["quaternion"])
    down = earth.to_celestial(t, -here / np.linalg.norm(here, axis=1, keepdims=True))
    line = there - here
    line = earth.to_celestial(t, line / np.linalg.norm(line, axis=1, keepdims=True))
    assert angle(axes[:, 2], down).max() < 1.5
    assert angle(axes[:, 0], line).max() < 0.3
    ahead = earth.to_celestial(
        t, velocity / np.linalg.norm(velocity, axis=1, keepdims=True)
    )
    assert np.sign((axes[:, 0] * ahead).sum(axis=1)).tolist() == [facing] * len(t)


@pytest.mark.parametrize(("name", "twin"), [("A", "B"), ("B", "A")])
def test_nominal_attitude_is_within_half_a_degree(
    sample: dict[str, Columns], name: str, twin: str
) -> None:
    columns = sample[f"SCA1B{name}"]
    t = columns["gps_time"].astype(float)
    here = real_nodes(sample[f"GNV1B{name}"]).at(t)
    there, _ = real_nodes(sample[f"GNV1B{twin}"]).at(t)
    nominal = attitude.nominal_attitude(t, here, there).at(t)
    for axis in np.eye(3):
        vector = np.tile(axis, (len(t), 1))
        real = attitude.rotate(columns["quaternion"], vector, back=True)
        made = attitude.rotate(nominal, vector, back=True)
        assert angle(real, made).max() < 0.5


def test_attitude_between_records(sample: dict[str, Columns]) -> None:
    columns = sample["SCA1BA"]
    t = columns["gps_time"].astype(float)
    every = slice(None, None, 2)
    thin = Attitude(t[every], columns["quaternion"][every])
    between = t[1:-1:2]
    found = thin.at(between)
    x = np.tile([1.0, 0.0, 0.0], (len(between), 1))
    error = angle(
        attitude.rotate(found, x, back=True),
        attitude.rotate(columns["quaternion"][1:-1:2], x, back=True),
    )
    assert error.max() < 0.05


def test_features_of_the_day(shared_data: Path) -> None:
    from gracelstm_xr.archive.dataset import open_archive
    from gracelstm_xr.physics.features import features
    from gracelstm_xr.physics.geometry import FLAGS

    ds = open_archive(shared_data / "jpl_sample", products=["GNV1B", "SCA1B"])
    found = features(ds).isel(time=slice(0, 3600)).compute()
    lag = found["twin_lag"].values
    assert np.abs(lag[0] - 28.6).max() < 0.3
    assert np.abs(lag[1] + 28.6).max() < 0.3
    assert 4.6e5 < float(found["height"].min()) < float(found["height"].max()) < 5.2e5
    assert float(np.abs(found["latitude"]).max()) == pytest.approx(89.0, abs=0.1)
    # sunlight from the side all day: both pitch axes see it, with opposite sign
    assert float(found["beta_prime"].min()) > 69
    assert (found["shadow_factor"] == 1).all()
    side = found["sun_direction"].sel(axis="y").values
    assert (side[0] * side[1] < -0.8).all()
    # the files hold 5 min of attitude and an hour of orbit
    flags = found["geometry_qualflg"].values
    assert (flags[:, 30:260] == 0).all()
    assert (flags[:, 400:3500] & FLAGS["attitude_nominal"]).all()
    assert not (flags[:, :3470] & FLAGS["orbit_propagated"]).any()
