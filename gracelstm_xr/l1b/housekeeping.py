"""Field lists of the housekeeping and actuator products."""

from __future__ import annotations

from gracelstm_xr.l1b.model import Field

__all__ = [
    "AHK_GRACE",
    "AHK_GRACE_FO",
    "HRT",
    "MAG",
    "MASSES",
    "TANK",
    "TANK_GRACE_FO",
    "THRUSTERS",
    "THRUSTER_NAMES",
]

THRUSTER_NAMES = (
    *("A11", "A12", "A13", "A14", "A15", "A16"),
    *("A21", "A22", "A23", "A24", "A25", "A26"),
    *("O11", "O21"),
)
"""Order of the 14 thrusters in THR1B: 12 attitude, then 2 orbit thrusters."""


def _per_thruster(name: str, units: str, text: str) -> Field:
    columns = tuple(f"{name}_{t}" for t in THRUSTER_NAMES)
    return Field(name, columns, "u4", units, text, dim="thruster")


THRUSTERS = (
    _per_thruster("thrust_count", "1", "firings since the counters were reset"),
    _per_thruster("thruster_on_time", "ms", "duration of the firings at this tag"),
    _per_thruster("thruster_accum_dur", "ms", "accumulated duration of all firings"),
)


def _value(
    name: str, units: str, text: str, *, bit: int | None = None, dtype: str = "f4"
) -> Field:
    return Field(name, (name,), dtype, units, text, bit=bit)


MAG = (
    *(
        _value(f"Mfv{a}_RAW", "uT", f"magnetic field, {a} of the science frame")
        for a in "XYZ"
    ),
    *(
        _value(f"torque{i}{side}", "mA", f"torquer {i}, {sign} current")
        for side, sign in (("A", "positive"), ("B", "negative"))
        for i in (1, 2, 3)
    ),
    *(_value(f"MF_BCal{a}", "1", f"field calibration factor, {a}") for a in "XYZ"),
    _value("torque_cal", "1", "torquer calibration factor"),
)

TANK = (
    _value("tank_pres", "bar", "tank pressure", bit=0),
    _value("reg_pres", "bar", "regulator pressure", bit=1),
    _value("skin_temp", "degC", "tank skin temperature", bit=2),
    _value("skin_temp_r", "degC", "tank skin temperature, redundant", bit=3),
    _value("adap_temp", "degC", "tank adaptor temperature", bit=4),
)
TANK_GRACE_FO = (
    *TANK,
    _value("boss_fixed", "degC", "temperature of the fixed boss", bit=5),
    _value("boss_sliding", "degC", "temperature of the sliding boss", bit=6),
)

MASSES = tuple(
    _value(name, "kg", text, bit=bit, dtype="f8")
    for bit, (name, text) in enumerate(
        (
            ("mass_thr", "spacecraft mass from thruster firings"),
            ("mass_thr_err", "error of the mass from thruster firings"),
            ("mass_tnk", "spacecraft mass from tank data"),
            ("mass_tnk_err", "error of the mass from tank data"),
            ("gas_mass_thr1", "gas mass in tank 1 from thruster firings"),
            ("gas_mass_thr2", "gas mass in tank 2 from thruster firings"),
            ("gas_mass_tnk1", "gas mass in tank 1 from tank data"),
            ("gas_mass_tnk2", "gas mass in tank 2 from tank data"),
        )
    )
)


def _ahk(
    names: tuple[tuple[str, str, str], ...], first: int, dtype: str
) -> tuple[Field, ...]:
    return tuple(
        _value(name, units, text, bit=first + i, dtype=dtype)
        for i, (name, units, text) in enumerate(names)
    )


def _bitfield(name: str, text: str, bit: int, dtype: str) -> Field:
    return Field(name, (name,), dtype, "", text, kind="flag", bit=bit)


AHK_GRACE = (
    *_ahk(
        tuple((f"lin_accl_{a}", "m s-2", f"linear acceleration, {a}") for a in "xyz"),
        0,
        "f8",
    ),
    *_ahk(
        tuple(
            (f"ang_accl_{a}", "rad s-2", f"angular acceleration, {a}") for a in "xyz"
        ),
        3,
        "f8",
    ),
    *_ahk((("bias_vol", "V", "proof mass bias voltage Vp"),), 6, "f8"),
    *_ahk(
        (
            ("vd", "V", "detection voltage, root mean square"),
            ("x1_out", "m", "sensor unit displacement x1"),
            ("x2_out", "m", "sensor unit displacement x2"),
            ("x3_out", "m", "sensor unit displacement x3"),
            ("y1_out", "m", "sensor unit displacement y1"),
            ("y2_out", "m", "sensor unit displacement y2"),
            ("z1_out", "m", "sensor unit displacement z1"),
            ("tesu", "degC", "temperature of the sensor unit electronics"),
            ("taicu", "degC", "temperature of the interface unit, analogue"),
            ("tisu", "degC", "temperature inside the sensor unit"),
            ("v15picu", "V", "interface unit supply +15 V"),
            ("v15micu", "V", "interface unit supply -15 V"),
            ("vr5picu", "V", "interface unit reference +5 V"),
            ("tcicu", "degC", "temperature of the interface unit, converter"),
            ("v15psu", "V", "sensor unit supply +15 V"),
            ("v15msu", "V", "sensor unit supply -15 V"),
            ("v48psu", "V", "sensor unit supply +48 V"),
            ("v48msu", "V", "sensor unit supply -48 V"),
        ),
        7,
        "f4",
    ),
    _bitfield("status", "interface unit status bits", 25, "u1"),
    _value("icu_blk_nr", "1", "accelerometer block number", bit=26, dtype="u2"),
    _value("pps_count_10hz", "1", "10 Hz counter", bit=27, dtype="i1"),
    _value("mhz_count", "1", "MHz counter", bit=28, dtype="i4"),
)

AHK_GRACE_FO = (
    *_ahk(
        (
            ("TFEEU_IF", "degC", "front-end electronics temperature, interface"),
            ("TFEEU_REF", "degC", "front-end electronics temperature, reference"),
            ("TFEEU_X", "degC", "front-end electronics temperature, x"),
            ("TFEEU_YZ", "degC", "front-end electronics temperature, y and z"),
            ("analog_GND", "V", "analogue ground"),
            ("volt_p3_3", "V", "supply +3.3 V"),
            ("Vp", "V", "proof mass bias voltage"),
            ("MES_Vd", "V", "detection voltage"),
            ("MES_DET_X1", "m", "sensor unit displacement x1"),
            ("MES_DET_X2", "m", "sensor unit displacement x2"),
            ("MES_DET_X3", "m", "sensor unit displacement x3"),
            ("MES_DET_Y1", "m", "sensor unit displacement y1"),
            ("MES_DET_Y2", "m", "sensor unit displacement y2"),
            ("MES_DET_Z1", "m", "sensor unit displacement z1"),
            ("TSU_Yp", "degC", "sensor unit temperature, +y"),
            ("TICUN", "degC", "interface unit temperature, nominal"),
            ("TSU_Ym", "degC", "sensor unit temperature, -y"),
            ("TSU_Zp", "degC", "sensor unit temperature, +z"),
            ("TSU_Zm", "degC", "sensor unit temperature, -z"),
            ("volt_p5", "V", "supply +5 V"),
            ("TICUR", "degC", "interface unit temperature, redundant"),
            ("volt_p15", "V", "supply +15 V"),
            ("volt_m15", "V", "supply -15 V"),
            ("volt_p48", "V", "supply +48 V"),
            ("volt_m48", "V", "supply -48 V"),
            ("undefined", "", "undefined"),
            ("icu_blk_nr", "1", "accelerometer block number"),
            ("PPS_source", "1", "source of the pulse per second"),
            ("Sync_Qual", "1", "quality of the synchronisation"),
        ),
        0,
        "f8",
    ),
    _bitfield("statusflag", "interface unit status bits", 29, "u4"),
)

_HRT = (
    "MEP_neg_y MEP_pos_y MEPm ICU ICU_red ACC_neg_z ACC_pos_z CFRP_pos_x "
    "CFRP_pos_x_red CFRP_neg_x CFRP_neg_x_red CFRP_neg_y CFRP_neg_y_red ACCSen "
    "ICU_spec MWA_neg_y MWA_neg_yoff MWA_pos_y MWA_pos_yoff Horn_pos_x "
    "Horn_pos_x_red HornPl HornPl_red HMWA_neg_y HMWA_pos_y RFSamp USO_neg_y "
    "USO_neg_y_red USO_pos_y USO_pos_y_red"
)
HRT = tuple(
    _value(f"TEMP_{name}", "degC", f"temperature {name.replace('_', ' ')}")
    for name in _HRT.split()
)
