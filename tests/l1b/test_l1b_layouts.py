"""Every layout: bytes and lines worked out from the tables, read both ways."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from l1b_cases import ACC_LINE, Case, acc_record

from gracelstm_xr import l1b

NAN = float("nan")
T = 116769600  # 2003-09-14T00:00:00 GPS

CASES = [
    Case(
        "ACC1B",
        [acc_record(T, 0b00100000), acc_record(T + 1)],
        [
            ACC_LINE.format(second=T, satellite="A", flag=0b00100000),
            ACC_LINE.format(second=T + 1, satellite="A", flag=0),
        ],
        {
            "gps_time": [T, T + 1],
            "GRACE_id": [b"A", b"A"],
            "lin_accl": [[0.5, -0.25, 0.125]] * 2,
            "ang_accl": [[1.5, 2.5, 3.5]] * 2,
            "acl_res": [[-1.0, 0.0, 1e-5]] * 2,
            "acc_qualflg": [32, 0],
        },
    ),
    Case(
        "GNV1B",
        [struct.pack(">icc12dB", T, b"A", b"E", *range(1, 13), 0x80)],
        [f"{T} A E 1 2 3 4 5 6 7 8 9 10 11 12  10000000"],
        {
            "coord_ref": [b"E"],
            "position": [[1.0, 2.0, 3.0]],
            "position_error": [[4.0, 5.0, 6.0]],
            "velocity": [[7.0, 8.0, 9.0]],
            "velocity_error": [[10.0, 11.0, 12.0]],
            "gnv_qualflg": [128],
        },
    ),
    Case(
        "SCA1B",
        [struct.pack(">icb5dB", T, b"A", 4, 0.5, -0.5, 0.5, -0.5, 4e-05, 1)],
        [f"{T} A 4 0.5 -0.5 0.5 -0.5 4e-05 00000001"],
        {
            "sca_id": [4],
            "quaternion": [[0.5, -0.5, 0.5, -0.5]],
            "sca_qual_rss": [4e-5],
            "sca_qualflg": [1],
        },
    ),
    Case(
        "QSA1B",
        [
            struct.pack(">icb5dB", 0, b"A", 1, 1, 0, 0, 0, 0, 0),
            struct.pack(">icb5dB", 0, b"A", 2, 0, 1, 0, 0, 0, 0),
        ],
        ["0 A 1 1 0 0 0 0 00000000", "0 A 2 0 1 0 0 0 00000000"],
        {"sca_id": [1, 2], "quaternion": [[1, 0, 0, 0], [0, 1, 0, 0]]},
    ),
    Case(
        "KBR1B",
        [
            struct.pack(
                ">i10d4HB", T, -1.5, *range(2, 11), 671, 9, 681, 65535, 0b00100001
            )
        ],
        [f"{T} -1.5 2 3 4 5 6 7 8 9 10 671  9 681 65535  00100001"],
        {
            "biased_range": [-1.5],
            "range_rate": [2.0],
            "range_accl": [3.0],
            "iono_corr": [4.0],
            "lighttime_corr": [5.0],
            "lighttime_rate": [6.0],
            "lighttime_accl": [7.0],
            "ant_centr_corr": [8.0],
            "ant_centr_rate": [9.0],
            "ant_centr_accl": [10.0],
            "K_A_SNR": [671],
            "Ka_A_SNR": [9],
            "K_B_SNR": [681],
            "Ka_B_SNR": [65535],
            "kbr_qualflg": [33],
        },
        satellite="X",
    ),
    Case(
        "THR1B",
        [
            struct.pack(
                ">iicc42IB", T, 624445, b"G", b"A", 2**31, *range(1, 42), 0b01000000
            )
        ],
        # The counter 2**31 as JPL prints it: signed.
        [f"{T} 624445 G A   -2147483648 {' '.join(map(str, range(1, 42)))}   01000000"],
        {
            "time_intg": [T],
            "time_frac": [624445],
            "time_ref": [b"G"],
            "thrust_count": [[2**31, *range(1, 14)]],
            "thruster_on_time": [list(range(14, 28))],
            "thruster_accum_dur": [list(range(28, 42))],
            "thr_qualflg": [64],
        },
    ),
    Case(
        "MAG1B",
        [struct.pack(">iicc13fB", T, 5, b"G", b"A", *range(1, 14), 2)],
        [f"{T} 5 A G 1 2 3 4 5 6 7 8 9 10 11 12 13  00000010"],
        {
            "time_ref": [b"G"],
            "GRACE_id": [b"A"],
            "MfvX_RAW": [1.0],
            "torque1A": [4.0],
            "torque3B": [9.0],
            "MF_BCalZ": [12.0],
            "torque_cal": [13.0],
            "mag_qualflg": [2],
        },
    ),
    Case(
        "TNK1B",
        [
            struct.pack(">iicccBB2f", T, 7, b"G", b"A", b"1", 0, 0b00011, 222.5, 1.75),
            struct.pack(">iicccBB1f", T, 7, b"G", b"A", b"2", 0, 0b10000, 21.5),
            struct.pack(">iicccBB", T + 1, 7, b"G", b"A", b"1", 3, 0),
        ],
        [
            f"{T} 7 G A 1 00000000 00000011 222.5 1.75",
            f"{T} 7 G A 2 00000000 00010000 21.5",
            f"{T + 1} 7 G A 1 00000011 00000000",
        ],
        {
            "tank_id": [b"1", b"2", b"1"],
            "tnk_qualflg": [0, 0, 3],
            "prod_flag": [3, 16, 0],
            "tank_pres": [222.5, NAN, NAN],
            "reg_pres": [1.75, NAN, NAN],
            "skin_temp": [NAN, NAN, NAN],
            "adap_temp": [NAN, 21.5, NAN],
        },
    ),
    Case(
        "MAS1B",
        [
            struct.pack(">iiccBB4d", T, 7, b"G", b"A", 0, 0xCC, 482.5, 0, 13.5, 14.5),
            struct.pack(">iiccBB8d", T, 8, b"G", b"A", 1, 0xFF, *range(8)),
        ],
        [
            f"{T} 7 G A  00000000 11001100 482.5 0 13.5 14.5",
            f"{T} 8 G A  00000001 11111111 0 1 2 3 4 5 6 7",
        ],
        {
            "mass_thr": [NAN, 0.0],
            "mass_tnk": [482.5, 2.0],
            "mass_tnk_err": [0.0, 3.0],
            "gas_mass_tnk1": [13.5, 6.0],
            "gas_mass_tnk2": [14.5, 7.0],
        },
    ),
    Case(
        "AHK1B",
        [
            struct.pack(
                ">iiccBIddfBHbi",
                *(T, 9, b"G", b"A", 4, (1 << 0) | (1 << 6) | (1 << 7) | (0xF << 25)),
                *(2.5, 10.5, 4.75, 0b10000001, 34966, -3, -70000),
            ),
            struct.pack(">iiccBIH", T + 10, 9, b"G", b"A", 0, 1 << 26, 7),
        ],
        [
            f"{T}  9  G  A  00000100   00011110000000000000000011000001"
            "  2.5 10.5 4.75  10000001  34966 -3 -70000",
            f"{T + 10}  9  G  A  00000000   00000100000000000000000000000000  7",
        ],
        {
            "ahk_qualflg": [4, 0],
            "lin_accl_x": [2.5, NAN],
            "lin_accl_y": [NAN, NAN],
            "bias_vol": [10.5, NAN],
            "vd": [4.75, NAN],
            "status": [0x81, 0],
            "icu_blk_nr": [34966.0, 7.0],
            "pps_count_10hz": [-3.0, NAN],
            "mhz_count": [-70000.0, NAN],
        },
    ),
    Case(
        "IHK1B",
        [
            struct.pack(">iiccBcd", T, 9, b"G", b"A", 0, b"V", 4.5) + b"rfsp\0",
            struct.pack(">iiccBcd", T, 9, b"G", b"A", 0, b"?", 0.0) + b"01\0",
            struct.pack(">iiccBcd", T, 9, b"G", b"A", 0, b"T", 0.0) + b"notused\0",
        ],
        [
            f"{T} 9 G A 00000000 V 4.5 rfsp",
            f"{T} 9 G A 00000000 ? 0 01",
            f"{T} 9 G A 00000000 T 0 notused",
        ],
        {
            "sensortype": [b"V", b"?", b"T"],
            "sensorvalue": [4.5, 0.0, 0.0],
            "sensorname": [b"rfsp", b"01", b"notused"],
        },
    ),
    Case(
        "CLK1B",
        [
            struct.pack(">icb4dB", T, b"A", -1, -0.5, 1e-10, -2.5e-07, 3e-11, 2),
            struct.pack(">icb4dB", T, b"A", -1, -0.5, 1e-10, -2.5e-07, 3e-11, 0),
        ],
        [
            f"{T} A -1 -0.5 1e-10 -2.5e-07 3e-11  00000010",
            f"{T} A -1 -0.5 1e-10 -2.5e-07 3e-11  00000000",
        ],
        {
            "rcv_time": [T, T],
            "clock_id": [-1, -1],
            "eps_time": [-0.5, -0.5],
            "eps_err": [1e-10] * 2,
            "eps_drift": [-2.5e-7] * 2,
            "drift_err": [3e-11] * 2,
            "clk_qualflg": [2, 0],
        },
    ),
    Case(
        "TIM1B",
        [struct.pack(">iciiiiiB", T, b"A", 7, T + 1, 250000, 34668, -1, 0)],
        [f"{T} A 7 {T + 1} 250000 34668 -1 00000000"],
        {
            "obdh_time": [T],
            "TS_suppid": [7],
            "gpstime_intg": [T + 1],
            "gpstime_frac": [250000],
            "first_icu_blknr": [34668],
            "final_icu_blknr": [-1],
        },
    ),
    Case(
        "USO1B",
        [struct.pack(">icb3dB", T, b"A", 3, 4832000.5, 24527238226.5, 3.27e10, 1)],
        [f"{T} A 3 4832000.5 24527238226.5 32700000000  00000001"],
        {"uso_id": [3], "uso_freq": [4832000.5], "Ka_freq": [3.27e10]},
    ),
    Case(
        "GPS1B",
        [
            struct.pack(">iicbbHB3H", T, 0, b"A", 31, -11, 0x01C0, 0, 629, 298, 65535),
            struct.pack(">iicbbHBdddHH", T, 0, b"A", 4, 0, 0xF008, 1, 2.5, 8, 9, 6, 7),
        ],
        [
            f"{T}  0  A  31  -11  0000000111000000   00000000   629  298  65535",
            f"{T}  0  A  4  0  1111000000001000   00000001   2.5  8  9  6  7",
        ],
        {
            "prn_id": [31, 4],
            "ant_id": [-11, 0],
            "prod_flag": [0x01C0, 0xF008],
            "CA_phase": [NAN, 2.5],
            "CA_SNR": [629.0, NAN],
            "L2_SNR": [65535.0, NAN],
            "K_phase": [NAN, 8.0],
            "Ka_phase": [NAN, 9.0],
            "K_SNR": [NAN, 6.0],
            "Ka_SNR": [NAN, 7.0],
        },
    ),
    Case(
        "VKB1B",
        [
            struct.pack(">ic4dB", 0, b"A", 1.5, 1, 0, 0, 0),
            struct.pack(">ic4dB", 0, b"A", 1.25, 0.5, 0.25, 0.125, 0),
        ],
        ["0 A 1.5 1 0 0 00000000", "0 A 1.25 0.5 0.25 0.125 00000000"],
        {"mag": [1.5, 1.25], "cosx": [1, 0.5], "cosy": [0, 0.25], "cosz": [0, 0.125]},
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.code)
@pytest.mark.parametrize("kind", ["dat", "asc"])
def test_values_from_the_tables(tmp_path, case, kind):
    path = tmp_path / f"{case.stem}.{kind}"
    path.write_bytes(case.dat() if kind == "dat" else case.asc())
    found = l1b.read(path, strict=True)
    assert found.report.records == len(case.binary)
    assert found.header.format == {"dat": "binary", "asc": "ascii"}[kind]
    for name, values in case.expected.items():
        np.testing.assert_array_equal(found.columns[name], values, err_msg=name)


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.code)
def test_binary_and_ascii_give_the_same_arrays(case):
    a = l1b.read_bytes(case.dat(), f"{case.stem}.dat", strict=True)
    b = l1b.read_bytes(case.asc(), f"{case.stem}.asc", strict=True)
    assert a.columns.keys() == b.columns.keys()
    for name, values in a.columns.items():
        assert values.dtype == b.columns[name].dtype, name
        assert values.dtype.isnative
        np.testing.assert_array_equal(values, b.columns[name], err_msg=name)


@pytest.mark.parametrize(
    ("code", "size"),
    [
        *(("ACC1B", 78), ("GNV1B", 103), ("SCA1B", 47), ("KBR1B", 93), ("GPS1B", 14)),
        *(("CLK1B", 39), ("TIM1B", 26), ("USO1B", 31), ("THR1B", 179), ("MAG1B", 63)),
        *(("TNK1B", 13), ("AHK1B", 15), ("MAS1B", 12), ("IHK1B", 20), ("HRT1B", 131)),
        *(("VGN1B", 38), ("QSA1B", 47), ("IOA1B", 38), ("ACT1B", 78)),
    ],
)
def test_fixed_part_of_the_record_has_the_documented_size(code, size):
    assert l1b.PRODUCTS[code].record_dtype().itemsize == size


@pytest.mark.parametrize(
    ("code", "columns"),
    [
        *(("ACC1B", 12), ("AC01B", 12), ("AC11B", 12), ("GNI1B", 16), ("SCA1B", 9)),
        *(("LRI1B", 16), ("THR1B", 47), ("MAG1B", 18), ("HRT1B", 35), ("LSM1B", 6)),
        *(("TIM1B", 8), ("LHK1B", 8), ("LLK1B", 8), ("TNK1B", 7), ("AHK1B", 6)),
    ],
)
def test_grace_fo_layouts_have_the_listed_columns(code, columns):
    assert len(l1b.GRACE_FO_PRODUCTS[code].columns) == columns


def test_time_tags_are_integer_nanoseconds():
    case = next(c for c in CASES if c.code == "THR1B")
    found = l1b.read_bytes(case.dat(), f"{case.stem}.dat")
    assert found.time_ns.dtype == np.int64
    assert found.time_ns.tolist() == [T * 10**9 + 624_445_000]


def test_repeated_tags_count_only_where_time_is_unique(acc_case):
    clock = next(c for c in CASES if c.code == "CLK1B")
    assert l1b.read_bytes(clock.dat(), f"{clock.stem}.dat").report.duplicates == 0
    case = acc_case([T, T, T + 2, T + 1, T + 3])
    report = l1b.read_bytes(case.dat(), f"{case.stem}.dat").report
    assert (report.duplicates, report.out_of_order) == (1, 1)


def test_only_the_fields_asked_for_and_the_time(acc_case):
    case = acc_case([T])
    for data, name in ((case.dat(), "dat"), (case.asc(), "asc")):
        found = l1b.read_bytes(data, f"{case.stem}.{name}", fields=["acc_qualflg"])
        assert set(found.columns) == {"gps_time", "acc_qualflg"}


def test_header_becomes_attributes(acc_case, tmp_path):
    case = acc_case([T])
    path = tmp_path / f"{case.stem}.dat"
    path.write_bytes(case.dat())
    header = l1b.read_header(path)
    assert (header.product, header.satellite, header.release) == ("ACC1B", "A", "02")
    assert (header.records, header.nbytes) == (1, 7 * 81)
    assert header.attributes["history"] == [
        "INPUT FILE NAME : ACC1A<-ACC1A_2003-09-14_A_00.dat"
    ]


def test_flag_bits_have_meanings():
    acc = dict(l1b.PRODUCTS["ACC1B"].flags["acc_qualflg"])
    assert acc[1 << 2] == "linear_residual_above_10_um_s-2"
    assert 8 not in dict(l1b.GRACE_FO_PRODUCTS["KBR1B"].flags["kbr_qualflg"])
    for product in [*l1b.PRODUCTS.values(), *l1b.GRACE_FO_PRODUCTS.values()]:
        for pairs in product.flags.values():
            assert all(" " not in meaning for _, meaning in pairs)
