"""Controls: changes to the data whose effect on an honest score is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from gracelstm_xr.arrays import Array, IntArray
from gracelstm_xr.core.time import DAY
from gracelstm_xr.filling.benchmark import FILL, GapErrors, join_errors, score_round
from gracelstm_xr.physics.frames import Frame

if TYPE_CHECKING:
    from gracelstm_xr.filling.model import FittedModel


#: The same gaps three times: data as they are, a donor from another day, no signal.
CASES = ("as observed", "wrong-day donor", "zero signal")
#: Gap lengths that controls are made on [s], and the rounds they take.
LENGTHS = (300.0, 11_000.0)
ROUNDS = 2
#: A wrong donor must raise the error of the methods that trust it by this factor.
DESTROYED = 1.2
#: Filled zeros may stand for at most this part of the error as observed.
STILL = 0.5
#: Fewest of the errors beside observations that must be within 3 sigma.
CONTINUOUS = 0.95


@dataclass(frozen=True)
class Control:
    """RMS errors of the controls of one satellite.

    Attributes
    ----------
    rms : dict of str to dict of str to ndarray, shape (3,)
        By case and method [m s-2].
    donor : bool
        Whether there is a donor that could be wrong.
    """

    rms: dict[str, dict[str, Array]]
    donor: bool


def control_part(
    frame: Frame,
    span: tuple[float, float],
    rounds: Sequence[IntArray],
    model: FittedModel,
    satellite: str,
) -> Control:
    """Score some gaps as they are, with the donor of another day, and without signal.

    Parameters
    ----------
    frame : Frame
    span : tuple of float
    rounds : sequence of ndarray, shape (gap, 2)
        Gaps of the evaluation; those of medium length are taken.
    model : FittedModel
    satellite : str
    """
    step = frame.t[1] - frame.t[0]
    chosen = []
    for hidden in rounds:
        size = (hidden[:, 1] - hidden[:, 0]) * step
        medium = hidden[(size >= LENGTHS[0]) & (size <= LENGTHS[1])]
        if len(medium):
            chosen.append(medium)
    cases = {CASES[0]: frame, CASES[2]: _silent(frame)}
    if frame.donor is not None:
        cases[CASES[1]] = _wrong_day(frame)
    recipient = model.recipients[satellite]
    methods = None if model.only is None else set(recipient.baselines)
    rms: dict[str, dict[str, Array]] = {}
    for case, changed in cases.items():
        errors = join_errors(
            [
                score_round(
                    changed, span, hidden, recipient, model.predict, model.settings,
                    methods=methods,
                )
                for hidden in chosen[:ROUNDS]
            ]
        )  # fmt: skip
        rms[case] = _rms(errors)
    return Control(rms, frame.donor is not None)


def _rms(errors: GapErrors) -> dict[str, Array]:
    rms = {}
    for name, values in errors.errors.items():
        finite = np.isfinite(values)
        count = finite.sum(axis=0)
        total = np.where(finite, values, 0.0) ** 2
        mean = total.sum(axis=0) / np.maximum(count, 1)
        rms[name] = np.where(count > 0, np.sqrt(mean), np.nan)
    return rms


def _wrong_day(frame: Frame) -> Frame:
    """Donor and its firings from a day before, or as far as the frame allows."""
    shift = round(DAY / (frame.t[1] - frame.t[0]))
    if shift > 0.7 * len(frame):
        shift = len(frame) // 2
    moved = {
        name: np.roll(values, shift, axis=0)
        for name, values in frame.arrays().items()
        if name in ("donor", "donor_thrust")
    }
    return replace(frame, **moved)


def _silent(frame: Frame) -> Frame:
    """Nothing measured by either satellite, and nothing fired."""
    zero = {
        name: np.where(np.isfinite(values), 0.0, values)
        for name, values in frame.arrays().items()
        if name in ("own", "donor", "own_thrust", "donor_thrust")
    }
    return replace(frame, **zero)


def control_tables(
    controls: Mapping[str, Control], score: xr.Dataset
) -> dict[str, xr.DataArray]:
    """Errors of the controls, and whether each came out as it must.

    Parameters
    ----------
    controls : mapping of str to Control
        By satellite.
    score : xarray.Dataset
        With ``edge_coverage`` and ``skill``.

    Returns
    -------
    dict of str to DataArray
        ``control_rms`` [m s-2] over ``(control, method, satellite, axis)``;
        ``control_passed`` over ``(test, satellite)``: 1 yes, 0 no, -1 not tested.
        Tests: a donor from the wrong day raises the error of the transplant by at
        least a fifth on x or z; a zero signal is filled with less than half of the
        usual error; at least 95 % of the errors beside an observation are within 3
        sigma; with the roles swapped, both satellites are filled better than by a
        straight line.
    """
    methods = [str(m) for m in score["method"].values]
    satellites = [str(s) for s in score["satellite"].values]
    values = np.full((len(CASES), len(methods), len(satellites), 3), np.nan)
    for s, satellite in enumerate(satellites):
        control = controls.get(satellite)
        for c, case in enumerate(CASES):
            for m, method in enumerate(methods):
                if control is not None and method in control.rms.get(case, {}):
                    values[c, m, s] = control.rms[case][method]
    rms = xr.DataArray(
        values,
        dims=("control", "method", "satellite", "axis"),
        coords={"control": list(CASES)},
        attrs={"units": "m s-2", "long_name": "RMS error of the controls"},
    )
    tests = ("wrong-day donor", "zero signal", "edges", "role swap")
    passed = np.full((len(tests), len(satellites)), -1, dtype=np.int8)
    swap = _swapped(score, satellites)
    for s, satellite in enumerate(satellites):
        if satellite in controls:
            passed[0, s] = _destroyed(controls[satellite])
            passed[1, s] = _stayed(controls[satellite])
        edges = score["edge_coverage"].sel(satellite=satellite).values
        if np.isfinite(edges).any():
            passed[2, s] = np.nanmean(edges) >= CONTINUOUS
        passed[3, s] = swap
    return {
        "control_rms": rms,
        "control_passed": xr.DataArray(
            passed,
            dims=("test", "satellite"),
            coords={"test": list(tests)},
            attrs={
                "long_name": "control came out as it must",
                "flag_values": np.array([-1, 0, 1], dtype=np.int8),
                "flag_meanings": "not_tested failed passed",
            },
        ),
    }


def _destroyed(control: Control) -> int:
    """Whether the methods that trust the donor got worse with a wrong one."""
    wrong, right = control.rms.get(CASES[1], {}), control.rms[CASES[0]]
    name = next((n for n in ("transplant", "tracked") if n in wrong and n in right), "")
    if not name:
        return -1
    return int(np.nanmax((wrong[name] / right[name])[[0, 2]]) >= DESTROYED)


def _stayed(control: Control) -> int:
    zero, usual = control.rms[CASES[2]], control.rms[CASES[0]]
    if FILL not in zero or FILL not in usual:
        return -1
    return int((zero[FILL] <= STILL * usual[FILL]).all())


def _swapped(score: xr.Dataset, satellites: list[str]) -> int:
    if len(satellites) < 2 or not {FILL, "linear"} <= set(score["method"].values):
        return -1
    rms = score["rms"]
    lengths = score["gap_length"].values
    medium = rms.isel(gap_length=(lengths >= LENGTHS[0]) & (lengths <= LENGTHS[1]))
    # by name in a dict: ``method`` is an option of ``sel``
    ratio = medium.sel({"method": FILL}) / medium.sel({"method": "linear"})
    return int(bool((ratio.mean(["axis", "gap_length"]) < 1).all()))
