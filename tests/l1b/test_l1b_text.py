"""GRACE-FO text: YAML header, exact floats, uneven blanks, damaged lines."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gracelstm_xr import l1b
from gracelstm_xr.errors import GraceWarning, L1BFormatError

NAME = "ACC1B_2030-01-01_C_04.txt"
LINES = [
    "946728000 C 1.5e-07 1.07e-05 -1.7e-07 0 0 0 1.2e-10 -3.4e-10 5.6e-11  00000000",
    "946728001 C 1.5e-07 1.07e-05 -1.7e-07 0 0 0 2.2e-10 -1.4e-10 1.6e-11  00010000",
]


def test_values_and_header(yaml_acc):
    found = l1b.read_bytes(yaml_acc(LINES), NAME, strict=True)
    assert (found.header.kind, found.header.format) == ("yaml", "text")
    assert (found.satellite, found.header.release) == ("C", "04")
    assert found.columns["gps_time"].tolist() == [946728000, 946728001]
    assert found.columns["lin_accl"].tolist() == [[1.5e-07, 1.07e-05, -1.7e-07]] * 2
    assert found.columns["ang_accl"].tolist() == [[0, 0, 0]] * 2
    assert found.columns["acl_res"][1].tolist() == [2.2e-10, -1.4e-10, 1.6e-11]
    assert found.columns["acc_qualflg"].tolist() == [0, 16]
    assert found.columns["acc_qualflg"].dtype == np.uint8
    attributes = found.header.attributes
    assert attributes["product_version"] == "04"
    assert attributes["time_coverage_end"] == "2030-01-01T00:00:01Z"
    assert attributes["start_time_epoch_secs"] == found.header.start == 946728000
    assert attributes["history"] == [
        "INPUT FILE NAME               : ACC1A<-ACC1A_2030-01-01_C_04.dat"
    ]


def test_flag_meanings_come_from_the_header(yaml_acc):
    found = l1b.read_bytes(yaml_acc(LINES), NAME)
    assert found.flags("acc_qualflg") == (
        (1, "Proof_mass_voltage_out_of_range"),
        (0b11000, "Clock_state"),
    )


def test_flag_meanings_that_yaml_takes_for_a_mapping(yaml_acc):
    data = yaml_acc(LINES).replace(b"bits 3-4 = Clock state", b"bits 3-4: Clock state")
    found = l1b.read_bytes(data, NAME)
    assert found.flags("acc_qualflg")[1] == (0b11000, "Clock_state")


@given(
    st.lists(
        st.floats(allow_nan=False, allow_infinity=False).map(
            lambda v: v if abs(v) < 1e300 else 1.0
        ),
        min_size=3,
        max_size=3,
    ),
    st.sampled_from(["%.16g", "%.17g", "%.10g", "%.20e", "%r"]),
)
@settings(deadline=None, max_examples=200)
def test_every_float_is_what_python_reads(values, style):
    from l1b_cases import VECTORS, YAML_ACC

    tokens = [style % v for v in values]
    line = f"1 C {' '.join(tokens)} 0 0 0 0 0 0  00000000\n"
    data = (YAML_ACC.format(records=1, vectors=VECTORS) + line).encode()
    found = l1b.read_bytes(data, NAME).columns["lin_accl"][0]
    expected = np.array([float(t) for t in tokens])
    assert found.tobytes() == expected.tobytes()


def test_uneven_blanks_tabs_and_carriage_returns(yaml_acc):
    lines = [
        LINES[0],
        LINES[1].replace(" ", "   ", 2),
        "  " + LINES[1].replace("946728001", "946728002") + "  ",
        LINES[1].replace("946728001", "946728003").replace(" ", "\t"),
        LINES[1].replace("946728001", "946728004") + "\r",
    ]
    found = l1b.read_bytes(yaml_acc(lines), NAME, strict=True)
    assert (found.columns["gps_time"] - 946728000).tolist() == [0, 1, 2, 3, 4]
    assert found.columns["acc_qualflg"].tolist() == [0, 16, 16, 16, 16]


def test_last_line_without_line_feed_is_read_when_whole(yaml_acc):
    found = l1b.read_bytes(yaml_acc(LINES, end=""), NAME, strict=True)
    assert found.report.records == 2


@pytest.mark.parametrize("cut", [1, 5, 9, 12, 40, 60])
def test_cut_last_line_is_left_out(yaml_acc, cut):
    data = yaml_acc(LINES, end="")[:-cut]
    with pytest.warns(GraceWarning, match="1 of 2 announced .* 1 incomplete"):
        found = l1b.read_bytes(data, NAME)
    assert found.columns["gps_time"].tolist() == [946728000]
    with pytest.raises(L1BFormatError, match="1 of 2 announced"):
        l1b.read_bytes(data, NAME, strict=True)


def test_line_with_too_few_values_inside_is_left_out_and_counted(yaml_acc):
    lines = [LINES[0], "946728001 C 1.5e-07", LINES[1]]
    with pytest.warns(GraceWarning, match="2 of 3 announced .* 1 incomplete"):
        found = l1b.read_bytes(yaml_acc(lines), NAME)
    assert found.report.truncated == 1
    assert found.columns["acc_qualflg"].tolist() == [0, 16]


def test_value_that_is_no_number_is_an_error_with_its_place(yaml_acc):
    lines = [LINES[0], LINES[1].replace("1.07e-05", "1.07x-05")]
    with pytest.raises(L1BFormatError, match=r"1\.07x-05"):
        l1b.read_bytes(yaml_acc(lines), NAME)


def test_flag_with_other_digits_is_an_error(yaml_acc):
    lines = [LINES[0], LINES[1].replace("00010000", "00020000")]
    with pytest.raises(L1BFormatError, match="acc_qualflg"):
        l1b.read_bytes(yaml_acc(lines), NAME)


def test_header_only_with_no_announced_records_is_legal(yaml_acc):
    found = l1b.read_bytes(yaml_acc([], end=""), NAME, strict=True)
    assert found.report.records == 0
    assert found.columns["lin_accl"].shape == (0, 3)
    assert found.time_ns.shape == (0,)


def _text(code: str, columns: list[str], line: str, satellite: str = "C") -> bytes:
    listed = "".join(f"    - {c}:\n        comment: x\n" for c in columns)
    return (
        "header:\n  dimensions:\n    num_records: 1\n  global_attributes:\n"
        f"    platform: GRACE {satellite}\n  variables:\n{listed}"
        f"# End of YAML header\n{line}\n"
    ).encode()


def test_mag_rows_win_over_the_column_order_of_the_header():
    values = ["MfvX_RAW", "MfvY_RAW", "MfvZ_RAW"]
    values += [f"torque{i}{s}" for s in "AB" for i in (1, 2, 3)]
    values += ["MF_BCalX", "MF_BCalY", "MF_BCalZ", "torque_cal", "qualflg"]
    columns = ["time_intg", "time_frac", "time_ref", "GRACEFO_id", *values]
    line = "5 6 C G 0.1 2 3 4 5 6 7 8 9 10 11 12 13  00000001"
    found = l1b.read_bytes(_text("MAG1B", columns, line), "MAG1B_2019-01-01_C_04.txt")
    assert found.columns["time_ref"].tolist() == [b"G"]
    assert found.columns["GRACE_id"].tolist() == [b"C"]
    # No binary exists for GRACE-FO: the float is not rounded to single precision.
    assert found.columns["MfvX_RAW"][0] == 0.1


def test_columns_follow_the_header_where_it_knows_them():
    columns = ["gps_time", "GRACEFO_id", "mag", "cosz", "cosy", "cosx", "qualflg"]
    data = _text("VKB1B", columns, "0 C 1.5 3 2 1 00000000")
    found = l1b.read_bytes(data, "VKB1B_2019-01-01_C_04.txt")
    assert [found.columns[f"cos{a}"][0] for a in "xyz"] == [1, 2, 3]


def test_wrong_number_of_columns_is_one_clear_error():
    data = _text("SCA1B", ["gps_time", "GRACEFO_id"], "0 C")
    with pytest.raises(L1BFormatError, match="lists 2 columns, SCA1B has 9"):
        l1b.read_bytes(data, "SCA1B_2019-01-01_C_04.txt")


def test_tim_fraction_is_in_nanoseconds():
    columns = "obctime GRACEFO_id TS_suppid rcvtime_intg rcvtime_frac"
    columns += " first_icu_blknr final_icu_blknr qualflg"
    data = _text("TIM1B", columns.split(), "8 C 3 9 999999999 -1 -1 00000000")
    found = l1b.read_bytes(data, "TIM1B_2019-01-01_C_04.txt")
    assert found.product.frac_units == "ns"
    assert found.columns["rcvtime_frac"][0] == 999999999
    assert found.time_ns.tolist() == [8_000_000_000]


def test_housekeeping_rows_with_status_and_unknown_bits():
    columns = [
        "time_intg",
        "time_frac",
        "time_ref",
        "GRACEFO_id",
        "qualflg",
        "prod_flag",
    ]
    flag = f"{(1 << 6) | (1 << 26) | (1 << 29) | (1 << 31):032b}"
    line = f"5  6  G  C  00000000   {flag}  10.25  77  {5:032b}  123"
    data = _text("AHK1B", columns, line)
    found = l1b.read_bytes(data, "AHK1B_2019-01-01_C_04.txt")
    assert found.columns["Vp"][0] == 10.25
    assert found.columns["icu_blk_nr"][0] == 77
    assert found.columns["statusflag"].tolist() == [5]
    assert np.isnan(found.columns["TFEEU_IF"][0])


def test_laser_ranging_signal_to_noise_is_real():
    columns = list(l1b.GRACE_FO_PRODUCTS["LRI1B"].columns)
    line = "0 1 2 3 4 5 6 7 0 0 0 87.5 0 88.25 0  00000000"
    found = l1b.read_bytes(
        _text("LRI1B", columns, line, "C+D"), "LRI1B_2023-01-01_Y_04.txt"
    )
    assert found.satellite == "Y"
    assert found.columns["K_A_SNR"][0] == 87.5
    assert found.columns["lri_qualflg"].tolist() == [0]


def test_receiver_time_is_kept_and_said():
    columns = list(l1b.GRACE_FO_PRODUCTS["IHK1B"].columns)
    data = _text("IHK1B", columns, "5 6 R C 01000000 V 1.5 21")
    with pytest.warns(
        GraceWarning, match=r"receiver time \(time_ref R\) in 1 record\b"
    ):
        found = l1b.read_bytes(data, "IHK1B_2019-01-01_C_04.txt")
    assert found.columns["sensorname"].tolist() == [b"21"]


def test_a_worker_thread_reads_the_same(yaml_acc):
    lines = [
        f"{946728000 + i} C {i / 7} {i / 3} {-i / 11} 0 0 0 0 0 0  {i % 256:08b}"
        for i in range(60_000)  # several parser blocks
    ]
    data = yaml_acc(lines)
    here = l1b.read_bytes(data, NAME, strict=True)
    there: list[l1b.L1BFile] = []
    thread = threading.Thread(target=lambda: there.append(l1b.read_bytes(data, NAME)))
    thread.start()
    thread.join()
    assert here.columns["lin_accl"].tolist() == [
        [i / 7, i / 3, -i / 11] for i in range(60_000)
    ]
    for name, values in here.columns.items():
        np.testing.assert_array_equal(values, there[0].columns[name])
