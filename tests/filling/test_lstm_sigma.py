"""Sigma and choice from errors of known distribution: the right answer is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from gracelstm_xr.filling.benchmark import GapErrors
from gracelstm_xr.filling.conditions import (
    CHECKED,
    COVARIATES,
    FARTHEST,
    Conditions,
    Grid,
    along_orbit,
    nearness,
)
from gracelstm_xr.filling.learn import calibrate, capped
from gracelstm_xr.filling.pools import Calibration
from gracelstm_xr.filling.sigma import LEVELS, binned, factor_table, fair_scale

LENGTHS = (60.0, 400.0, 2400.0)


def made(
    seed: int, methods: dict[str, float], *, gaps: int = 24, tails: str = "normal"
) -> GapErrors:
    """Gaps of three lengths with independent errors, 1-sigma by method [nm s-2]."""
    rng = np.random.default_rng(seed)
    length = np.concatenate([np.full(int(x) * gaps, x) for x in LENGTHS])
    inside = np.concatenate([np.tile(np.arange(x), gaps) for x in LENGTHS])
    distance = np.minimum(inside + 1, length - inside)
    gap = np.concatenate(
        [np.repeat(np.arange(gaps), int(x)) + 1000 * i for i, x in enumerate(LENGTHS)]
    )
    shape = (len(length), 3)
    draw = rng.normal if tails == "normal" else rng.laplace
    unit = {n: 1e-9 * s * draw(size=shape) for n, s in methods.items()}
    t = np.arange(len(length), dtype=np.float64)
    return GapErrors(t, length, distance, gap, unit)


def filled(errors: GapErrors, found: Calibration) -> tuple[np.ndarray, np.ndarray]:
    """Errors of the best informed pool's blend, and its sigma."""
    pool, shape = found.pools[0], (len(errors.t), 3)
    value, sigma = np.empty(shape), np.empty(shape)
    firing = np.zeros(shape[0]) if errors.firing is None else nearness(errors.firing)
    at = Conditions(
        capped(errors.length),
        np.minimum(errors.distance, FARTHEST),
        firing,
        latitude=along_orbit(errors.latitude_argument),
        thrust=errors.thrust,
    )
    for k in range(3):
        value[:, k], _ = pool.blend(errors.errors, at, k)
        sigma[:, k] = pool.sigma(errors.errors, at, k)
    return value, sigma


def coverage(value: np.ndarray, sigma: np.ndarray) -> list[float]:
    return [float(np.mean(np.abs(value) <= b * sigma)) for b in LEVELS.values()]


@pytest.mark.parametrize("size", [1e-12, 3e-9])
def test_scale_of_normal_errors_is_their_standard_deviation(size: float) -> None:
    error = size * np.random.default_rng(1).normal(size=400_000)
    found = fair_scale(binned(np.abs(error), np.ones(len(error))))
    assert float(found) == pytest.approx(size, rel=0.01)


def test_scale_of_laplace_errors_balances_both_misses() -> None:
    # P(|e| <= x) = 1 - exp(-x / b): bisect for the sigma with equal misses
    low, high = 0.5, 3.0
    for _ in range(60):
        sigma = (low + high) / 2
        both = sum(1 - np.exp(-b * sigma) for b in LEVELS.values())
        low, high = (sigma, high) if both < 1.63 else (low, sigma)
    error = 1e-9 * np.random.default_rng(2).laplace(size=400_000)
    found = float(fair_scale(binned(np.abs(error), np.ones(len(error)))))
    assert found == pytest.approx(1e-9 * low, rel=0.01)
    part = [np.mean(np.abs(error) <= b * found) for b in LEVELS.values()]
    assert part[0] - 0.68 == pytest.approx(0.95 - part[1], abs=0.003)
    assert part[0] - 0.68 < 0.04


def test_scale_of_nothing_is_zero() -> None:
    assert float(fair_scale(binned(np.zeros(0), np.zeros(0)))) == 0.0


@pytest.mark.parametrize("tails", ["normal", "laplace"])
def test_coverage_holds_on_other_gaps_of_every_length(tails: str) -> None:
    found = calibrate(made(1, {"lstm": 2.0}, tails=tails))
    assert found is not None
    fresh = made(2, {"lstm": 2.0}, tails=tails)
    value, sigma = filled(fresh, found)
    for length in LENGTHS:
        here = fresh.length == length
        got = coverage(value[here], sigma[here])
        assert got[0] == pytest.approx(0.68, abs=0.05)
        assert got[1] == pytest.approx(0.95, abs=0.05)


def test_sigma_follows_distance_length_and_firings() -> None:
    def grown(seed: int) -> GapErrors:
        e = made(seed, {"lstm": 1.0})
        firing = (e.t // 100) % 3 == 0
        factor = np.sqrt(e.distance) * (e.length / 600) ** 0.3 * (1 + 3 * firing)
        errors = {"lstm": e.errors["lstm"] * factor[:, None]}
        return replace(e, errors=errors, firing=np.where(firing, 0.0, np.inf))

    found = calibrate(grown(3))
    assert found is not None
    pool = found.pools[0]

    def at(length: float, distance: float, firing: float) -> float:
        one = Conditions(*(np.array([x]) for x in (length, distance, firing)))
        return float(pool.spread.at(one, 0)[0])

    # 1-sigma is 1e-9 sqrt(distance) (length / 600)^0.3, four times at firings
    for length, distance in ((60.0, 25.0), (400.0, 120.0), (2400.0, 700.0)):
        exact = 1e-9 * np.sqrt(distance) * (length / 600) ** 0.3
        assert at(length, distance, 0.0) == pytest.approx(exact, rel=0.35)
        ratio = at(length, distance, 1.0) / at(length, distance, 0.0)
        assert ratio == pytest.approx(4.0, rel=0.3)
    # between the lengths tried it lies between theirs
    middle = at(1000.0, 120.0, 0.0)
    assert at(400.0, 120.0, 0.0) < middle < at(2400.0, 120.0, 0.0)
    other = grown(4)
    value, sigma = filled(other, found)
    assert np.isfinite(sigma).all()
    assert (sigma > 0).all()
    for part in (other.thruster, ~np.asarray(other.thruster)):
        got = coverage(value[part], sigma[part])
        assert got[0] == pytest.approx(0.68, abs=0.05)
        assert got[1] == pytest.approx(0.95, abs=0.05)


def test_sigma_follows_the_latitude() -> None:
    """Of errors that are three times as large at the poles."""

    def polar(seed: int) -> GapErrors:
        e = made(seed, {"lstm": 1.0})
        turn = np.random.default_rng(seed).uniform(0, 2 * np.pi, len(e.t))
        factor = 1 + 2 * np.sin(turn) ** 2
        errors = {"lstm": e.errors["lstm"] * factor[:, None]}
        return replace(e, errors=errors, latitude_argument=turn)

    found = calibrate(polar(8))
    assert found is not None
    for spread in (found.pools[0].spread, found.spreads["lstm"]):
        at = Conditions(
            *(np.full(4, x) for x in (600.0, 200.0, 0.0)),
            latitude=np.array([2.0, 45.0, 88.0, np.nan]),
        )
        sigma = spread.at(at, 0)
        np.testing.assert_allclose(sigma[:3], [1.1e-9, 2e-9, 2.9e-9], rtol=0.15)
        # where the orbit is unknown: as if it were any latitude
        anywhere = spread.at(Conditions(at.length, at.distance, at.firing), 0)
        assert sigma[3] == anywhere[0]
        assert sigma[0] < sigma[3] < sigma[2]
    other = polar(9)
    value, sigma = filled(other, found)
    latitude = along_orbit(other.latitude_argument)
    assert latitude is not None
    for part in (latitude < 20, latitude > 70):
        got = coverage(value[part], sigma[part])
        assert got[0] == pytest.approx(0.68, abs=0.05)
        assert got[1] == pytest.approx(0.95, abs=0.05)


def test_sigma_follows_the_thrust_of_a_firing() -> None:
    """Of firings alike in time, some eight times as strong and as hard to fill."""

    def fired(seed: int) -> GapErrors:
        e = made(seed, {"lstm": 1.0})
        strong = e.gap % 2 == 0
        errors = {"lstm": e.errors["lstm"] * np.where(strong, 4.0, 0.5)[:, None]}
        thrust = np.where(strong, 12.0, 1.5)
        return replace(e, errors=errors, firing=np.zeros(len(e.t)), thrust=thrust)

    found = calibrate(fired(18))
    assert found is not None
    at = Conditions(
        *(np.full(3, x) for x in (600.0, 200.0, 1.0)),
        thrust=np.array([1.5, 12.0, np.nan]),
    )
    for spread in (found.pools[0].spread, found.spreads["lstm"]):
        sigma = spread.at(at, 0)
        np.testing.assert_allclose(sigma[:2], [0.5e-9, 4e-9], rtol=0.25)
        assert sigma[0] < sigma[2] < sigma[1]
    other = fired(19)
    value, sigma = filled(other, found)
    for part in (other.thrust == 12.0, other.thrust == 1.5):
        got = coverage(value[part], sigma[part])
        assert got[0] == pytest.approx(0.68, abs=0.05)
        assert got[1] == pytest.approx(0.95, abs=0.05)


def witnessed(seed: int) -> GapErrors:
    """Gaps that are easy or hard; only how far the methods are apart tells which."""
    e = made(seed, {"transplant": 9.0, "bridge": 1.0, "bridge_single": 1.0})
    hard = np.random.default_rng(seed).permutation(e.gap.max() + 1)[e.gap] % 4 == 0
    size = np.where(hard, 6.0, 0.5)[:, None]
    names = ("bridge", "bridge_single")
    errors = e.errors | {name: size * e.errors[name] for name in names}
    errors["polynomial"] = 4e-8 * np.random.default_rng(seed).normal(size=(len(e.t), 3))
    return replace(e, errors=errors, truth=hard[:, None] * np.ones(3))


def test_sigma_follows_how_far_methods_are_apart() -> None:
    found = calibrate(witnessed(20))
    assert found is not None
    pool = found.pools[0]
    assert pool.witnesses == {
        "polynomial": ("bridge", "polynomial"),
        "alone": ("bridge", "bridge_single"),
    }
    other = witnessed(21)
    value, sigma = filled(other, found)
    assert other.truth is not None
    hard = other.truth[:, 0] > 0
    assert pool.methods == ("bridge", "bridge_single")
    short = other.length < CHECKED
    typical = [np.median(sigma[short & part]) for part in (hard, ~hard)]
    assert typical[0] > 3 * typical[1]
    # beyond, every gap is like any other
    assert LENGTHS[2] > CHECKED
    middle = (other.length == LENGTHS[2]) & (other.distance == 1200)
    assert len(np.unique(sigma[middle, 0])) == 1
    assert middle.sum() > 20
    for length in LENGTHS[:2]:
        here = other.length == length
        got = coverage(value[here], sigma[here])
        # by chance hard ones are close together, too: not as good as knowing it
        assert got[0] == pytest.approx(0.68, abs=0.08)
        assert got[1] == pytest.approx(0.95, abs=0.05)


def test_witnesses_are_computed_for_short_gaps_only() -> None:
    found = calibrate(witnessed(22))
    assert found is not None
    pool = found.pools[0]
    asked = {}
    for length in (60.0, 2 * CHECKED):
        at = Conditions(np.full(1, length), np.full(1, 9.0), np.zeros(1))
        asked[length] = pool.wanted(at, 0)
    assert "polynomial" in asked[60.0]
    assert "polynomial" not in asked[2 * CHECKED]


def test_without_its_witnesses_a_factor_is_refused() -> None:
    found = calibrate(witnessed(23))
    assert found is not None
    with pytest.raises(ValueError, match="found no witnesses for the factor alone"):
        replace(found.pools[0], witnesses={"polynomial": ("bridge", "polynomial")})


@pytest.mark.parametrize("change", ["missing", "unknown", "shape", "negative"])
def test_a_spread_of_other_tables_is_refused(change: str) -> None:
    found = calibrate(made(24, {"lstm": 1.0}))
    assert found is not None
    spread = found.spreads["lstm"]
    factors = dict(spread.factors)
    if change == "missing":
        del factors["thrust"]
    elif change == "unknown":
        factors["mood"] = factors["thrust"]
    else:
        table = factors["thrust"]
        factors["thrust"] = -table if change == "negative" else table[:, 1:]
    with pytest.raises(ValueError, match="expected"):
        replace(spread, factors=factors)


def test_sigma_is_continuous() -> None:
    found = calibrate(made(5, {"lstm": 1.0}))
    assert found is not None
    x = np.exp(np.linspace(np.log(1.0), np.log(FARTHEST), 20_000))
    for length in (45.0, 800.0, 2 * FARTHEST):
        at = Conditions(np.full(len(x), length), x, np.linspace(0, 1, len(x)))
        steps = np.abs(np.diff(np.log(found.pools[0].spread.at(at, 1))))
        assert steps.max() < 0.01


def test_sigma_is_that_of_the_method_used() -> None:
    found = calibrate(made(6, {"ridge": 1.0, "hold": 8.0}))
    assert found is not None
    at = Conditions(np.full(1, 600.0), np.full(1, 200.0), np.zeros(1))
    assert found.spreads["ridge"].at(at, 0)[0] == pytest.approx(1e-9, rel=0.15)
    assert found.spreads["hold"].at(at, 0)[0] == pytest.approx(8e-9, rel=0.15)


def shares(found: Calibration, length: float, axis: int) -> dict[str, float]:
    pool = found.pools[0]
    at = Conditions(np.full(1, length), np.full(1, length / 3), np.zeros(1))
    values = pool.grid.at(pool.shares[:, :, :, axis], at)[0]
    return dict(zip(pool.methods, values.tolist(), strict=True))


def test_the_better_method_is_chosen() -> None:
    errors = made(7, {"ridge": 3.0, "lstm": 1.0, "hold": 30.0})
    # the same errors and more: nothing to gain from a blend
    errors.errors["ridge"] = errors.errors["lstm"] + errors.errors["ridge"]
    found = calibrate(errors)
    assert found is not None
    for length in LENGTHS:
        assert shares(found, length, 0) == pytest.approx({"lstm": 1.0})


def test_a_network_that_is_worse_is_not_used() -> None:
    errors = made(8, {"ridge": 1.0, "lstm": 0.5})
    errors.errors["lstm"] = errors.errors["ridge"] + errors.errors["lstm"]
    found = calibrate(errors)
    assert found is not None
    assert found.pools[0].methods == ("ridge",)


def test_a_method_that_fails_at_firings_serves_away_from_them() -> None:
    e = made(15, {"polynomial": 1.0, "bridge": 5.0})
    firing = e.gap % 3 == 0
    errors = dict(e.errors)
    errors["polynomial"] = errors["polynomial"] * np.where(firing, 100.0, 1.0)[:, None]
    found = calibrate(replace(e, errors=errors, firing=np.where(firing, 0.0, np.inf)))
    assert found is not None
    pool = found.pools[0]
    share = {}
    for firing_ in (0.0, 1.0):
        one = Conditions(*(np.array([x]) for x in (60.0, 20.0, firing_)))
        part = pool.grid.at(pool.shares[:, :, :, 0], one)[0]
        share[firing_] = dict(zip(pool.methods, part, strict=True))
    assert share[0.0]["polynomial"] > 0.9
    assert share[1.0]["bridge"] > 0.9


def test_independent_errors_are_averaged_by_their_power() -> None:
    # best weights of independent estimates are inverse to their variances: 4 / 5, 1 / 5
    found = calibrate(made(9, {"ridge": 2.0, "lstm": 1.0}))
    assert found is not None
    for length in LENGTHS[1:]:
        assert shares(found, length, 1)["lstm"] == pytest.approx(0.8, abs=0.06)
    fresh = made(10, {"ridge": 2.0, "lstm": 1.0})
    value, _ = filled(fresh, found)
    assert value.std() == pytest.approx(np.sqrt(0.8) * 1e-9, rel=0.03)


def test_noise_does_not_make_a_choice() -> None:
    """Of equals in every respect the fill is not worse than one of them elsewhere."""
    names = {f"m{i}": 1.0 for i in range(6)}
    common = made(11, {"c": 3.0}).errors["c"]

    def alike(seed: int) -> GapErrors:
        e = made(seed, dict.fromkeys(names, 0.3), gaps=8)
        same = np.random.default_rng(seed).normal(size=(len(e.gap), 3)) * 3e-9
        return replace(e, errors={n: v + same for n, v in e.errors.items()})

    assert common.std() > 0
    found = calibrate(alike(12))
    assert found is not None
    fresh = alike(13)
    value, _ = filled(fresh, found)
    best = min(v.std() for v in fresh.errors.values())
    assert value.std() < 1.01 * best


def test_without_the_twin_its_methods_are_left_out() -> None:
    errors = made(
        14, {"transplant": 1.0, "ridge": 0.9, "lstm": 0.5, "lstm_single": 3.0,
             "harmonic": 4.0, "linear": 9.0, "hold": 12.0},
    )  # fmt: skip
    found = calibrate(errors)
    assert found is not None
    assert "lstm" in found.pools[0].methods
    assert set(found.pools[1].methods) <= {"lstm_single", "harmonic", "linear", "hold"}
    assert set(found.pools[2].methods) <= {"linear", "hold"}
    at = Conditions(np.full(1, 600.0), np.full(1, 200.0), np.zeros(1))
    assert found.pools[1].spread.at(at, 0)[0] > 2 * found.pools[0].spread.at(at, 0)[0]


def test_gaps_without_end_have_a_place() -> None:
    errors = made(15, {"transplant": 1.0, "linear": 2.0})
    n = 4000
    whole = GapErrors(
        t=np.arange(n) * 10.0,
        length=np.full(n, np.inf),
        distance=np.full(n, np.inf),
        gap=np.full(n, 9999),
        errors={
            "transplant": 7e-9 * np.random.default_rng(0).normal(size=(n, 3)),
            "linear": np.full((n, 3), np.nan),
        },
    )
    joined = GapErrors(
        *(np.concatenate([getattr(errors, f), getattr(whole, f)])
          for f in ("t", "length", "distance", "gap")),
        {k: np.concatenate([errors.errors[k], whole.errors[k]]) for k in whole.errors},
    )  # fmt: skip
    found = calibrate(joined)
    assert found is not None
    far = Conditions(np.full(1, 2 * FARTHEST), np.full(1, FARTHEST), np.zeros(1))
    value, first = found.pools[0].blend(
        {k: np.ones((1, 3)) for k in whole.errors}, far, 0
    )
    assert value[0] == 1.0
    assert found.pools[0].methods[first[0]] == "transplant"
    # one gap alone: what it showed, widened
    assert 7e-9 < found.pools[0].spread.at(far, 0)[0] < 12e-9
    near = Conditions(np.full(1, 2 * FARTHEST), np.full(1, 20.0), np.zeros(1))
    assert found.pools[0].spread.at(near, 0)[0] < 3e-9


def test_grid_interpolates_in_logarithms() -> None:
    grid = Grid(np.array([10.0, 1000.0]), np.array([1.0, 100.0]))
    table = np.arange(8.0).reshape(2, 2, 2)
    at = Conditions(np.array([100.0]), np.array([10.0]), np.array([0.25]))
    assert grid.at(table, at)[0] == pytest.approx(0.75 * 1.5 + 0.25 * 5.5)
    out = Conditions(np.array([1e9]), np.array([1e-3]), np.array([0.0]))
    assert grid.at(table, out)[0] == table[0, 1, 0]


def test_without_any_data_methods_are_judged_without_the_wandering_bias() -> None:
    """Sigma of a gap without end is that of the whole error all the same."""
    rng = np.random.default_rng(31)
    short = made(30, {"drifts": 0.5, "level": 2.0})
    t = 1e6 + np.linspace(0.0, 3 * 86_400.0, 900)
    wander = 2e-8 * np.cos(2 * np.pi * t / 345_600.0)[:, None]
    size = (len(t), 3)
    endless = {
        "drifts": wander + 0.5e-9 * rng.normal(size=size),
        "level": 2e-9 * rng.normal(size=size),
    }
    everything = np.full(len(t), np.inf)
    errors = GapErrors(
        np.concatenate([short.t, t]),
        np.concatenate([short.length, everything]),
        np.concatenate([short.distance, everything]),
        np.concatenate([short.gap, np.full(len(t), short.gap.max() + 1)]),
        {n: np.concatenate([short.errors[n], endless[n]]) for n in endless},
    )
    found = calibrate(errors)
    assert found is not None
    far = np.full(1, FARTHEST)
    one = Conditions(2 * far, far, np.zeros(1))
    share = found.pools[0].grid.at(found.pools[0].shares[:, :, :, 0], one)[0]
    assert dict(zip(found.pools[0].methods, share, strict=True))["drifts"] > 0.9
    assert 1e-8 < found.pools[0].spread.at(one, 0)[0] < 4e-8


def test_where_activity_is_unknown_the_nearest_length_tells_its_middle() -> None:
    """Of gaps far longer than those around which the series is seen."""
    rng = np.random.default_rng(6)
    gap = np.repeat(np.arange(60), 20)
    values = np.repeat(10 ** rng.uniform(-9, -8, 60), 20)
    ratio = np.abs(rng.standard_normal(len(gap))) * values / 3e-9
    length = np.full(len(gap), 60.0)
    at = Conditions(length, length / 2, np.zeros(len(gap)), activity=values)
    grid = Grid(np.array([60.0, 2 * FARTHEST]), np.array([1.0, 100.0]))
    factor = factor_table(ratio, gap, length, at, grid, "activity")
    nodes = np.array(COVARIATES["activity"].nodes)
    middle = np.exp(np.log(values).mean())
    for row in factor:
        here = np.interp(np.log(middle), np.log(nodes), np.log(row))
        assert here == pytest.approx(0.0, abs=0.02)
