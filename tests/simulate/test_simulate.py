"""Physics of the simulation, against formulas and published numbers."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest

from gracelstm_xr.errors import GraceError
from gracelstm_xr.physics import earth
from gracelstm_xr.physics.attitude import quaternion_matrix
from gracelstm_xr.physics.lag import lag_to_twin
from gracelstm_xr.physics.states import StateNodes
from gracelstm_xr.physics.sun import sun_position
from gracelstm_xr.simulate import (
    atmosphere,
    attitude,
    forces,
    gaps,
    geometry,
    instrument,
    thrusters,
)
from gracelstm_xr.simulate.config import Scenario, day_number, make_scenario
from gracelstm_xr.simulate.day import COMPONENTS, Day, simulate_day, states
from gracelstm_xr.simulate.rng import Streams

DATE = dt.date(2008, 1, 2)
DAY = day_number(DATE)


@pytest.fixture(scope="module")
def scenario() -> Scenario:
    return make_scenario(start=DATE, days=1, storm="quiet")


@pytest.fixture(scope="module")
def day(scenario: Scenario) -> Day:
    return simulate_day(scenario, DATE)


def component(day: Day, name: str) -> np.ndarray:
    return day.components[COMPONENTS.index(name)]


class TestOrbit:
    def test_nodal_period_is_the_textbook_one(self, scenario):
        t = np.arange(0.0, 86400.0, 1.0)
        z = geometry.position(scenario, DAY, t, 0)[:, 2]
        up = np.flatnonzero((z[:-1] < 0) & (z[1:] >= 0))
        crossing = t[up] - z[up] / (z[up + 1] - z[up])
        a = 6378137.0 + 470e3
        kepler = 2 * np.pi * np.sqrt(a**3 / 3.986004415e14)
        j2 = 1.5 * 1.0826359e-3 * (6378137.0 / a) ** 2
        expected = kepler * (1 - j2 * (4 * np.cos(np.deg2rad(89)) ** 2 - 1))
        assert np.diff(crossing).mean() == pytest.approx(expected, abs=0.1)

    def test_moves_as_gravity_with_j2_demands(self, scenario):
        t = np.arange(0.0, 12000.0, 10.0)
        r, _ = geometry.orbit(scenario, DAY, t, 0)
        _, before = geometry.orbit(scenario, DAY, t - 1, 0)
        _, after = geometry.orbit(scenario, DAY, t + 1, 0)
        radius = np.linalg.norm(r, axis=1, keepdims=True)
        q = 1.5 * 1.0826359e-3 * (6378137.0 / radius) ** 2
        s = 5 * (r[:, 2:] / radius) ** 2
        gravity = 1 + q * (np.array([1.0, 1.0, 3.0]) - s)
        expected = -3.986004415e14 * r / radius**3 * gravity
        error = np.linalg.norm((after - before) / 2 - expected, axis=1)
        # J2 itself is 1e-3 of gravity; the terms left out are of its square
        assert error.max() < 3e-5 * 8.5

    def test_velocity_is_the_derivative(self, scenario):
        t = np.arange(0.0, 6000.0, 60.0)
        _, velocity = geometry.orbit(scenario, DAY, t, 1)
        h = 0.01
        ahead = geometry.position(scenario, DAY, t + h, 1)
        behind = geometry.position(scenario, DAY, t - h, 1)
        np.testing.assert_allclose(velocity, (ahead - behind) / (2 * h), atol=1e-4)

    def test_distance_of_the_twin_is_the_separation(self, scenario):
        t = np.arange(0.0, 86400.0, 60.0)
        gap = geometry.position(scenario, DAY, t, 0)
        gap = gap - geometry.position(scenario, DAY, t, 1)
        distance = np.linalg.norm(gap, axis=1)
        assert distance.mean() == pytest.approx(205e3, rel=0.02)
        speed = 7.62e3
        lag = geometry.lag(scenario, DAY, t)
        assert lag.mean() * speed == pytest.approx(distance.mean(), rel=0.005)

    def test_lag_is_what_the_orbit_solver_finds(self, scenario):
        t = np.arange(0.0, 6000.0, 5.0)
        seconds = geometry.gps_seconds(DAY, t)
        nodes = [
            StateNodes(
                seconds,
                *earth.to_inertial(
                    seconds,
                    *geometry.to_earth_fixed(
                        DAY, t, *geometry.orbit(scenario, DAY, t, k)
                    ),
                ),
            )
            for k in (0, 1)
        ]
        inner = slice(100, -100)
        found = lag_to_twin(nodes[0], nodes[1], seconds[inner])
        # in 2008 the second satellite leads: it was here before
        expected = -geometry.lag(scenario, DAY, t[inner])
        np.testing.assert_allclose(found, expected, atol=2e-3)

    @pytest.mark.parametrize(
        ("mission", "date", "ahead"),
        [
            ("grace", dt.date(2005, 12, 9), 0),
            ("grace", dt.date(2005, 12, 10), 1),
            ("grace-fo", dt.date(2019, 1, 1), 0),
        ],
    )
    def test_who_leads(self, mission, date, ahead):
        scenario = make_scenario(mission=mission, start=date, days=1)
        t = np.array([1000.0])
        number = day_number(date)
        r = [geometry.orbit(scenario, number, t, k) for k in (0, 1)]
        along = ((r[ahead][0] - r[1 - ahead][0]) * r[ahead][1]).sum()
        assert along > 0

    def test_a_day_continues_the_one_before(self, scenario):
        end = geometry.position(scenario, DAY, np.array([86400.0]), 0)
        start = geometry.position(scenario, DAY + 1, np.array([0.0]), 0)
        np.testing.assert_allclose(end, start, atol=2e-3)


class TestFrames:
    def test_sidereal_time_at_the_epoch(self):
        # Meeus: 280.46061837 degrees at 2000-01-01 12:00 UT, 13 s later in GPS
        angle = geometry.earth_angle(0, np.array([43213.0]))
        assert np.rad2deg(angle[0]) == pytest.approx(280.46061837, abs=1e-6)

    def test_sidereal_time_of_a_later_date(self):
        # Meeus, example 12.b: 1987 is before GPS days here, so 2008-01-02 0 h UT:
        # 6.6646 h + 0.0657098 h per day of the year (Astronomical Almanac)
        hours = (6.697374558 + 0.06570982441908 * (2923 - 0.5)) % 24
        angle = geometry.earth_angle(DAY, np.array([14.0]))
        assert day_number(dt.date(2008, 1, 2)) == 2923
        assert np.rad2deg(angle[0]) / 15 == pytest.approx(hours, abs=1e-5)

    def test_precession_of_theta_persei(self):
        # Meeus, Astronomical Algorithms, example 21.b
        matrix = geometry.precession(day_number(dt.date(2028, 11, 13)))
        ra, dec = np.deg2rad([41.054063, 49.227750])
        star = [np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)]
        x, y, z = matrix @ np.array(star)
        assert np.rad2deg(np.arctan2(y, x)) == pytest.approx(41.547214, abs=2e-5)
        assert np.rad2deg(np.arcsin(z)) == pytest.approx(49.348483, abs=2e-5)

    def test_attitude_is_orthonormal_and_faces_the_twin(self, scenario):
        t = np.arange(0.0, 86400.0, 60.0)
        sky = states(scenario, DAY, t)
        for k in (0, 1):
            turn = sky.attitude[k]
            product = np.einsum("nij,nkj->nik", turn, turn)
            np.testing.assert_allclose(
                product, np.broadcast_to(np.eye(3), product.shape), atol=1e-12
            )
            assert np.linalg.det(turn) == pytest.approx(1.0)
            line = sky.position[1 - k] - sky.position[k]
            line /= np.linalg.norm(line, axis=1, keepdims=True)
            off = np.rad2deg(np.arccos((turn[:, 0] * line).sum(1)))
            assert off.max() < 1.0
            assert 0.05 < np.sqrt((off**2).mean()) < 0.4
            down = -sky.position[k] / np.linalg.norm(
                sky.position[k], axis=1, keepdims=True
            )
            assert (turn[:, 2] * down).sum(1).min() > 0.999
            forward = (turn[:, 0] * sky.velocity[k]).sum(1)
            # the trailing satellite, A in 2008, flies with x forward
            assert np.all(forward > 0) if k == 0 else np.all(forward < 0)

    def test_quaternion_follows_the_published_matrix(self, scenario):
        turn = states(scenario, DAY, np.arange(0.0, 6000.0, 5.0)).attitude[0]
        q = attitude.quaternions(turn, np.zeros((len(turn), 3)))
        np.testing.assert_allclose(np.linalg.norm(q, axis=1), 1.0, atol=1e-12)
        np.testing.assert_allclose(quaternion_matrix(q), turn, atol=1e-12)
        assert q[0, 0] >= 0
        assert (q[1:] * q[:-1]).sum(1).min() > 0.99


class TestForces:
    def test_drag_opposes_the_flow(self):
        flow = np.array([[7600.0, 0.0, 0.0], [-7600.0, 0.0, 0.0], [7500.0, 500.0, 0]])
        density, speed = np.full(3, 1e-12), np.full(3, 1100.0)
        a = forces.drag(flow, density, speed, 475.0)
        assert np.all((a * flow).sum(1) < 0)
        np.testing.assert_allclose(a[0, 0], -a[1, 0], rtol=1e-12)
        # drag coefficient over the frontal area: plate 2.2 plus friction of the sides
        cd = -a[0, 0] * 2 * 475.0 / (1e-12 * 7600.0**2 * 0.9551567)
        assert 2.5 < cd < 4.5
        # a wind from port pushes to starboard, more than the frontal area would
        assert a[2, 1] < 1.1 * a[2, 0] * 500 / 7500 < 0

    def test_sunlight_on_the_front_plate(self):
        toward = np.array([[1.0, 0.0, 0.0]])
        a = forces.solar_radiation(toward, np.array([1.495978707e11]), 475.0)
        # (1 - rho) + 2 (rho + delta / 3) with rho 0.40, delta 0.26
        expected = -1361 / 299792458 * 0.9551567 / 475 * (0.6 + 0.8 + 0.52 / 3)
        np.testing.assert_allclose(a[0], [expected, 0, 0], atol=1e-15)

    def test_earth_pushes_up(self, day):
        z = 1e9 * component(day, "earth_radiation")[:, :, 2]
        assert z.max() < 0
        assert -60 < z.min() < -10

    def test_shadow_takes_its_share_of_the_orbit(self, scenario, day):
        t = np.arange(0.0, 86400.0, 60.0)
        sky = states(scenario, DAY, t)
        sun = sun_position(geometry.gps_seconds(DAY, t))
        ray = (sun - sky.position[0]) / 1.5e11
        # lines to the Sun that meet the flattened Earth ahead
        shape = 1 / np.array([6378137.0, 6378137.0, 6356752.3]) ** 2
        p = (ray * ray * shape).sum(1)
        q = (ray * sky.position[0] * shape).sum(1)
        c = (sky.position[0] ** 2 * shape).sum(1) - 1
        expected = ((q * q > p * c) & (q < 0)).mean()
        size = np.linalg.norm(component(day, "solar_radiation")[0], axis=1)
        assert expected > 0.05
        # half of the disc is hidden where the line to the Sun's centre grazes
        assert (size < 0.5 * np.median(size)).mean() == pytest.approx(
            expected, abs=0.005
        )

    def test_density_follows_activity(self):
        t = np.arange(-100.0, 86505.0, 5.0)
        found = []
        for options in ({"storm": 4.0}, {"storm": 100.0}, {"solar_flux": 180.0}):
            one = make_scenario(start=DATE, days=1, **options)
            place = geometry.position(one, DAY, t, 0)
            sun = sun_position(geometry.gps_seconds(DAY, t))
            air = atmosphere.air(one, DAY, t, place, 0, sun)
            found.append(air.density.mean())
        quiet, storm, maximum = found
        assert 5e-14 < quiet < 5e-13
        assert 1.3 < storm / quiet < 6
        assert 3 < maximum / quiet < 30

    def test_air_turns_with_the_earth(self, scenario):
        t = np.arange(0.0, 12000.0, 5.0)
        place = geometry.position(scenario, DAY, t, 0)
        sun = sun_position(geometry.gps_seconds(DAY, t))
        wind = atmosphere.air(scenario, DAY, t, place, 0, sun).wind
        low = np.abs(place[:, 2]) < 2e6
        east = np.cross([0.0, 0.0, 1.0], place)
        east /= np.linalg.norm(east, axis=1, keepdims=True)
        radius = np.hypot(place[:, 0], place[:, 1])
        over = (wind * east).sum(1) - 7.2921151467e-5 * radius
        assert np.abs(over[low]).max() < 250.0


class TestInstrument:
    def test_filter(self):
        taps = instrument.crn_kernel()
        assert len(taps) == 141
        assert taps.sum() == pytest.approx(1.0, abs=1e-12)
        np.testing.assert_allclose(taps, taps[::-1], atol=1e-15)
        f = np.array([1.8e-4, 5e-3, 2e-2, 3.5e-2, 8e-2, 0.2])
        turns = np.exp(-2j * np.pi * f[:, None] * np.arange(-70, 71))
        gain = (turns @ taps).real
        np.testing.assert_allclose(gain[:2], 1.0, atol=2e-3)
        assert gain[2] > 0.9
        assert 0.3 < gain[3] < 0.7
        assert np.abs(gain[4:]).max() < 1e-3

    def test_filter_keeps_a_straight_line(self):
        line = np.arange(1000.0)[:, None]
        np.testing.assert_allclose(
            instrument.low_pass(line), line[70:-70], rtol=0, atol=1e-9
        )

    def test_response_to_a_velocity_step_integrates_to_one(self):
        age = np.arange(-71.0, 71.0, 0.1)
        assert instrument.crn_response(age).sum() * 0.1 == pytest.approx(1, abs=1e-6)
        np.testing.assert_allclose(
            instrument.crn_response(np.arange(-70.0, 71.0)),
            instrument.crn_kernel(),
            atol=1e-3 * instrument.crn_kernel().max() * 5,
        )

    @pytest.mark.parametrize("axis", [0, 1, 2])
    def test_noise_follows_kim(self, scenario, axis):
        from scipy.signal import welch

        parts = []
        for number in range(DAY, DAY + 6):
            noise = instrument.noise(scenario, number, 0, 86400, 0)[:, axis]
            f, density = welch(noise, fs=1.0, nperseg=8640)
            parts.append(density)
        found = np.mean(parts, axis=0)
        for low, high in [(3e-4, 1e-3), (1e-3, 3e-3), (3e-3, 1e-2), (1e-2, 3.5e-2)]:
            band = (f >= low) & (f < high)
            ratio = found[band].mean() / instrument.kim_density(f[band])[:, axis].mean()
            assert ratio == pytest.approx(1.0, abs=0.2)

    def test_calibration_closes(self, scenario, day):
        for k in (0, 1):
            true = instrument.scale(scenario, k) * day.lin_accl[k] + day.bias[k]
            total = day.components[:, k].sum(axis=0)
            np.testing.assert_allclose(true, total, atol=1e-15)

    def test_raw_means_are_those_of_grace(self, day):
        expected = [[1.2e-6, -2.85e-5, 5.3e-7], [5.5e-7, -1.0e-5, 8.2e-7]]
        mean = day.lin_accl.mean(axis=1)
        np.testing.assert_allclose(mean, expected, rtol=0.35)
        assert np.all(np.sign(mean) == np.sign(expected))

    def test_midnight_leaves_no_step(self, scenario, day):
        after = simulate_day(scenario, DATE + dt.timedelta(days=1))
        joined = np.concatenate([day.lin_accl[:, -400:], after.lin_accl[:, :400]], 1)
        joined = joined - joined.mean(axis=1, keepdims=True)
        steps = np.abs(np.diff(joined, n=2, axis=1))
        at_midnight = steps[:, 397:401].max(axis=1)
        assert np.all(at_midnight <= 1.5 * steps.max(axis=1))
        assert np.all(at_midnight < np.array([0.5e-9, 2e-9, 1e-9]))


class TestStreams:
    def test_a_window_sees_the_same_process_from_both_days(self):
        streams = Streams(3)
        one = streams.smooth("x", 100, np.array([86000.0, 86400.0, 86700.0]), 480, 2)
        two = streams.smooth("x", 101, np.array([-400.0, 0.0, 300.0]), 480, 2)
        np.testing.assert_allclose(one, two, atol=1e-12)

    def test_unit_variance(self):
        t = np.arange(0.0, 86400.0, 5.0)
        values = np.concatenate(
            [Streams(1).smooth("y", n, t, 60)[:, 0] for n in range(-2, 8)]
        )
        assert values.std() == pytest.approx(1.0, abs=0.03)
        assert values.mean() == pytest.approx(0.0, abs=0.03)

    def test_streams_differ_by_seed_name_and_day(self):
        draws = {
            Streams(seed).generator(name, number).integers(2**62)
            for seed in (0, 1)
            for name in ("a", "b")
            for number in (5, 6)
        }
        assert len(draws) == 8


class TestThrusters:
    def test_rows(self, scenario):
        columns = thrusters.counters(scenario, DAY, 0)
        f = thrusters.firings(scenario, DAY, 0)
        assert 250 < len(f.time) < 450
        assert np.all(np.diff(f.time) >= 0)
        assert f.time.min() >= 0
        assert f.time.max() < 86_400_000_000
        on_time = columns["thruster_on_time"]
        np.testing.assert_array_equal(on_time[:, :6], on_time[:, 6:12])
        assert np.all((on_time > 0).sum(axis=1) == 2)
        assert on_time.max() < 2000

    def test_counters_continue_over_midnight(self, scenario):
        today = thrusters.counters(scenario, DAY, 1)
        tomorrow = thrusters.counters(scenario, DAY + 1, 1)
        fired = (tomorrow["thruster_on_time"] > 0)[0, :12]
        step = tomorrow["thrust_count"][0, :12] - today["thrust_count"][-1, :12]
        np.testing.assert_array_equal(step, fired.astype(int))
        spent = (
            tomorrow["thruster_accum_dur"][0, :12]
            - today["thruster_accum_dur"][-1, :12]
        )
        np.testing.assert_array_equal(spent, tomorrow["thruster_on_time"][0, :12])

    def test_response_of_one_firing(self, scenario):
        f = thrusters.firings(scenario, DAY, 0)
        felt = thrusters.firings_acceleration(scenario, DAY, 0)
        seconds = 1e-6 * f.time
        alone = [
            i
            for i in range(1, len(seconds) - 1)
            if seconds[i] - seconds[i - 1] > 150 and seconds[i + 1] - seconds[i] > 150
        ]
        i = alone[0]
        centre = seconds[i] + 0.5e-3 * f.on_time[i]
        window = np.arange(int(centre) - 75, int(centre) + 77)
        # all of the velocity change arrives, and nothing before 70 s
        np.testing.assert_allclose(felt[window].sum(0), f.velocity[i], rtol=1e-3)
        np.testing.assert_allclose(felt[window[0]], 0.0, atol=1e-20)
        peak = np.abs(felt[window]).max(axis=0)
        expected = np.abs(f.velocity[i]) * instrument.crn_response(np.zeros(1))
        np.testing.assert_allclose(peak, expected, rtol=0.02)


class TestGaps:
    def test_given_gaps_and_their_flags(self):
        one = make_scenario(
            start=DATE,
            days=1,
            gaps={"B": [("2008-01-02T01:00:00", "2008-01-02T01:10:00")]},
        )
        half = instrument.HALF_WINDOW
        absent = gaps.gap_mask(one, DAY, 1)[half:-half]
        np.testing.assert_array_equal(np.flatnonzero(absent), np.arange(3600, 4200))
        assert not gaps.gap_mask(one, DAY, 0).any()
        flags = gaps.quality_flags(one, DAY, 1)
        # distance to the hole: 71 s none, 70 s far, 15 s middle, 4 s near
        before = {3529: 0, 3530: 32, 3584: 32, 3585: 96, 3595: 96, 3596: 224}
        holes = gaps.quality_flags(
            make_scenario(
                start=DATE, days=1, gaps={"A": [("2008-01-02", "2008-01-03")]}
            ),
            DAY,
            1,
        )
        for second, expected in before.items():
            assert flags[second] == expected | holes[second]
        assert flags[4200] & 224 == 224

    def test_gap_over_midnight(self):
        spans = {"A": [("2008-01-02T23:59:00", "2008-01-03T00:01:00")]}
        one = make_scenario(start=DATE, days=2, gaps=spans)
        half = instrument.HALF_WINDOW
        today = gaps.gap_mask(one, DAY, 0)[half:-half]
        tomorrow = gaps.gap_mask(one, DAY + 1, 0)[half:-half]
        np.testing.assert_array_equal(np.flatnonzero(today), np.arange(86340, 86400))
        np.testing.assert_array_equal(np.flatnonzero(tomorrow), np.arange(60))

    def test_default_gaps_vary_and_prefer_the_second(self):
        one = make_scenario(start=DATE, days=30)
        half = instrument.HALF_WINDOW
        share, lengths = [], []
        for k in (0, 1):
            mask = np.concatenate(
                [gaps.gap_mask(one, DAY + n, k)[half:-half] for n in range(30)]
            )
            share.append(mask.mean())
            edges = np.flatnonzero(np.diff(mask.astype(int), prepend=0, append=0))
            lengths.extend(np.diff(edges.reshape(-1, 2), axis=1)[:, 0])
        assert 0 < share[0] < share[1] < 0.15
        assert min(lengths) < 60
        assert max(lengths) > 3600
        assert len(lengths) > 30

    def test_none(self):
        one = make_scenario(start=DATE, days=1, gaps=None)
        assert not gaps.gap_mask(one, DAY, 1).any()
        assert not gaps.quality_flags(one, DAY, 1).any()


class TestOptions:
    @pytest.mark.parametrize(
        ("options", "words"),
        [
            ({"mission": "goce"}, "grace or grace-fo"),
            ({"storm": "huge"}, "quiet, active, storm"),
            ({"storm": -1.0}, "between 0 and 400"),
            ({"altitude": 5000.0}, "between 200 and 1000 km"),
            ({"separation": 0.0}, "between 20 and 1000 km"),
            ({"days": 0}, "between 1 and"),
            ({"start": "01.02.2008"}, "e.g. 2008-05-01"),
            ({"start": "1999-01-01"}, "2000-2059"),
            ({"solar_flux": 1000.0}, "between 50 and 400"),
            ({"gaps": "many"}, "default"),
            ({"gaps": {"C": []}}, "A, B"),
            ({"gaps": {"A": [("2008-01-02", "2008-01-01")]}}, "start before stop"),
            ({"gaps": {"A": [("soon", "later")]}}, "2008-05-01T12:00:00"),
        ],
    )
    def test_one_line_says_what_was_expected(self, options, words):
        with pytest.raises(GraceError, match=words) as caught:
            make_scenario(**options)
        assert "\n" not in str(caught.value)

    def test_json_round_trip(self):
        one = make_scenario(
            mission="grace-fo",
            gaps={"D": [("2008-01-02", "2008-01-03")]},
            storm=40,
            solar_flux=100,
        )
        assert Scenario.from_json(one.to_json()) == one
