"""Tables of the Level-1B products: fields, binary types, units, flags.

Layouts of section order: accelerations, orbit, attitude, ranging, timing,
housekeeping, alignment. Sources: JPL struct headers (2008-03-20), checked
against the official binary and ASCII samples where those exist; GRACE-FO
columns from the RL04 column lists. HRT1B, LSM1B, LHK1B, LLK1B, VCM1B, QSB1B
and IOA1B follow the published tables without a sample to check against.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from gracelstm_xr.errors import L1BFormatError
from gracelstm_xr.l1b.flags import GRACE_FLAGS, GRACE_FO_FLAGS
from gracelstm_xr.l1b.housekeeping import (
    AHK_GRACE,
    AHK_GRACE_FO,
    HRT,
    MAG,
    MASSES,
    TANK,
    TANK_GRACE_FO,
    THRUSTERS,
)
from gracelstm_xr.l1b.model import Field, Product

__all__ = ["GRACE_FO_PRODUCTS", "PRODUCTS", "is_grace_fo", "product_of"]

_XYZ = ("x", "y", "z")
GPS_TIME = Field("gps_time", ("gps_time",), "i4", "s", "GPS time", kind="time")
GRACE_ID = Field("GRACE_id", ("GRACE_id",), "S1", "", "satellite", kind="id")
_INTG = Field("time_intg", ("time_intg",), "i4", "s", "whole seconds", kind="time")
_FRAC = Field("time_frac", ("time_frac",), "i4", "us", "time fraction", kind="time")
_REF = Field(
    "time_ref", ("time_ref",), "S1", "", "time scale: G GPS, R receiver", kind="char"
)
_TAG = (_INTG, _FRAC, _REF, GRACE_ID)
_TAGGED: dict[str, Any] = {
    "time_fields": ("time_intg", "time_frac"),
    "frac_units": "us",
}


def _vector(
    name: str, columns: tuple[str, ...], units: str, text: str, dim: str = "axis"
) -> Field:
    return Field(name, columns, "f8", units, text, dim=dim)


def _scalar(
    name: str, units: str, text: str, dtype: str = "f8", *, bit: int | None = None
) -> Field:
    return Field(name, (name,), dtype, units, text, bit=bit)


def _id(name: str, text: str, dtype: str = "i1", column: str = "") -> Field:
    return Field(name, (column or name,), dtype, "", text, kind="id")


def _qualflg(family: str) -> Field:
    return Field(
        f"{family}_qualflg", ("qualflg",), "u1", "", "quality flags", kind="flag"
    )


def _prod_flag(dtype: str) -> Field:
    return Field("prod_flag", ("prod_flag",), dtype, "", "values present", kind="flag")


def _acc(code: str, title: str, satellites: str) -> Product:
    """Accelerometer layout, 78 bytes, 12 columns (shared by six products)."""
    return Product(
        code,
        title,
        (
            GPS_TIME,
            GRACE_ID,
            _vector(
                "lin_accl",
                tuple(f"lin_accl_{a}" for a in _XYZ),
                "m s-2",
                "linear acceleration in the science reference frame, uncalibrated",
            ),
            _vector(
                "ang_accl",
                tuple(f"ang_accl_{a}" for a in _XYZ),
                "rad s-2",
                "angular acceleration in the science reference frame",
            ),
            _vector(
                "acl_res",
                tuple(f"acl_{a}_res" for a in _XYZ),
                "m s-2",
                "filtered minus unfiltered linear acceleration",
            ),
            _qualflg("acc"),
        ),
        flags={"acc_qualflg": GRACE_FLAGS["acc"]},
        file_type=8 if code in ("ACC1B", "ACT1B") else None,
        file_type_name="ipACC1BF",
        satellites=satellites,
        sensor="ACC",
    )


def _gnv(code: str, frame: str) -> Product:
    """Orbit layout, 103 bytes: position, its error, velocity, its error."""
    return Product(
        code,
        f"Orbit, {frame}",
        (
            GPS_TIME,
            GRACE_ID,
            Field(
                "coord_ref",
                ("coord_ref",),
                "S1",
                "",
                "frame: E Earth-fixed, I inertial",
                kind="char",
            ),
            _vector(
                "position",
                tuple(f"{a}pos" for a in _XYZ),
                "m",
                f"position of the centre of mass, {frame}",
            ),
            _vector(
                "position_error",
                tuple(f"{a}pos_err" for a in _XYZ),
                "m",
                "formal error of the position",
            ),
            _vector(
                "velocity",
                tuple(f"{a}vel" for a in _XYZ),
                "m s-1",
                f"velocity of the centre of mass, {frame}",
            ),
            _vector(
                "velocity_error",
                tuple(f"{a}vel_err" for a in _XYZ),
                "m s-1",
                "formal error of the velocity",
            ),
            _qualflg("gnv"),
        ),
        flags={"gnv_qualflg": GRACE_FLAGS["gnv"]},
        file_type=5 if code == "GNV1B" else None,
        file_type_name="ipGNV1BF",
        sensor="IPU",
    )


def _sca(code: str, title: str, sensor: str) -> Product:
    """Attitude layout, 47 bytes, scalar-first quaternion."""
    static = code != "SCA1B"
    return Product(
        code,
        title,
        (
            GPS_TIME,
            GRACE_ID,
            _id("sca_id", "star camera heads used"),
            _vector(
                "quaternion",
                ("quatangle", "quaticoeff", "quatjcoeff", "quatkcoeff"),
                "1",
                "quaternion, scalar first"
                + ("" if static else ", inertial to science reference frame"),
                dim="quaternion_component",
            ),
            Field(
                "sca_qual_rss",
                ("qual_rss",),
                "f8",
                "1",
                "formal error of the attitude, root sum square",
            ),
            _qualflg("sca"),
        ),
        dim="record" if static else "time",
        flags={"sca_qualflg": GRACE_FLAGS["sca"]},
        file_type=6,
        file_type_name="ipSCA1BF",
        sensor=sensor,
    )


def _ranging(code: str, title: str) -> Product:
    """Inter-satellite ranging layout, 93 bytes in GRACE binary."""
    family = code[:3].lower()
    laser = code == "LRI1B"
    scalars = (
        ("biased_range", "m", "biased range between the satellites"),
        ("range_rate", "m s-1", "range rate"),
        ("range_accl", "m s-2", "range acceleration"),
        ("iono_corr", "m", "ionospheric correction, for information"),
        ("lighttime_corr", "m", "light time correction of the range, to be added"),
        ("lighttime_rate", "m s-1", "light time correction of the range rate"),
        ("lighttime_accl", "m s-2", "light time correction of the acceleration"),
        ("ant_centr_corr", "m", "antenna centre correction of the range, to be added"),
        ("ant_centr_rate", "m s-1", "antenna centre correction of the range rate"),
        ("ant_centr_accl", "m s-2", "antenna centre correction of the acceleration"),
    )
    snr = ("K_A_SNR", "Ka_A_SNR", "K_B_SNR", "Ka_B_SNR")
    return Product(
        code,
        title,
        (
            GPS_TIME,
            *(_scalar(*item) for item in scalars),
            *(
                _scalar(
                    name,
                    "dB Hz" if laser else "0.1 dB Hz",
                    "signal to noise ratio",
                    "f8" if laser else "u2",
                )
                for name in snr
            ),
            _qualflg(family),
        ),
        flags={f"{family}_qualflg": GRACE_FLAGS["kbr"]},
        file_type=None if laser else 7,
        file_type_name="ipKBR1BF",
        satellites="Y" if laser else "XY",
        sensor="LRI" if laser else "IPU 1+1",
    )


def _clock(code: str, title: str) -> Product:
    """Clock layout, 39 bytes; segment limits repeat time tags."""
    return Product(
        code,
        title,
        (
            Field("rcv_time", ("rcv_time",), "i4", "s", "receiver time", kind="time"),
            GRACE_ID,
            _id("clock_id", "clock"),
            _scalar("eps_time", "s", "clock offset: GPS time minus receiver time"),
            _scalar("eps_err", "s", "formal error of the clock offset"),
            _scalar("eps_drift", "1", "clock drift [s/s]"),
            _scalar("drift_err", "1", "formal error of the clock drift [s/s]"),
            _qualflg("clk"),
        ),
        dim="record",
        time_fields=("rcv_time",),
        flags={"clk_qualflg": GRACE_FLAGS["clk"]},
        file_type=17 if code == "CLK1B" else None,
        file_type_name="ipCLK1BF",
        sensor="IPU",
    )


def _tim(*, grace_fo: bool) -> Product:
    """On-board time mapping, 26 bytes; GRACE-FO maps to receiver time in ns."""
    first = "obctime" if grace_fo else "obdh_time"
    mapped = "rcvtime" if grace_fo else "gpstime"
    unit = "ns" if grace_fo else "us"
    return Product(
        "TIM1B",
        "Mapping of on-board time to " + ("receiver" if grace_fo else "GPS") + " time",
        (
            Field(first, (first,), "i4", "s", "on-board time", kind="time"),
            GRACE_ID,
            _id("TS_suppid", "kind of on-board time", "i4"),
            _scalar(f"{mapped}_intg", "s", "mapped time, whole seconds", "i4"),
            _scalar(f"{mapped}_frac", unit, "mapped time, fraction", "i4"),
            _id("first_icu_blknr", "first accelerometer block number", "i4"),
            _id("final_icu_blknr", "last accelerometer block number", "i4"),
            _qualflg("tim"),
        ),
        frac_units="ns" if grace_fo else "us",
        time_fields=(first,),
        flags={"tim_qualflg": GRACE_FLAGS["tim"]},
        file_type=23,
        file_type_name="ipTIM1XF",
        sensor="OBDH/IPU",
    )


def _uso() -> Product:
    return Product(
        "USO1B",
        "Frequencies of the ultra-stable oscillator and the K/Ka band",
        (
            GPS_TIME,
            GRACE_ID,
            _id("uso_id", "oscillator"),
            _scalar("uso_freq", "Hz", "frequency of the oscillator"),
            _scalar("K_freq", "Hz", "frequency of the K band"),
            _scalar("Ka_freq", "Hz", "frequency of the Ka band"),
            _qualflg("uso"),
        ),
        dim="record",
        flags={"uso_qualflg": GRACE_FLAGS["uso"]},
        file_type=11,
        file_type_name="ipOSCFQF",
        sensor="USO",
    )


def _gps() -> Product:
    """GPS observables: 14 bytes and the values that prod_flag announces."""
    bands = (
        ("range", "m", "f8", ("CA", "L1", "L2"), 0),
        ("phase", "m", "f8", ("CA", "L1", "L2"), 3),
        ("SNR", "V/V", "u2", ("CA", "L1", "L2"), 6),
        ("chan", "1", "u2", ("CA", "L1", "L2"), 9),
        ("phase", "cycles", "f8", ("K", "Ka"), 12),
        ("SNR", "V/V", "u2", ("K", "Ka"), 14),
    )
    optional = tuple(
        _scalar(f"{band}_{kind}", units, f"{band} {kind}", dtype, bit=first + i)
        for kind, units, dtype, names, first in bands
        for i, band in enumerate(names)
    )
    return Product(
        "GPS1B",
        "GPS observables",
        (
            replace(_INTG, name="rcvtime_intg", columns=("rcvtime_intg",)),
            replace(_FRAC, name="rcvtime_frac", columns=("rcvtime_frac",)),
            GRACE_ID,
            _id("prn_id", "GPS satellite"),
            _id("ant_id", "antenna"),
            _prod_flag("u2"),
            _qualflg("gps"),
            *optional,
        ),
        dim="record",
        frac_units="us",
        time_fields=("rcvtime_intg", "rcvtime_frac"),
        flags={"gps_qualflg": GRACE_FLAGS["gps"]},
        file_type=1,
        file_type_name="ipGFD1XF",
        sensor="IPU",
    )


def _ihk(code: str) -> Product:
    """Sensor readings in long form: one row per sensor, name as a string."""
    return Product(
        code,
        "Instrument processor housekeeping"
        if code == "IHK1B"
        else "Laser ranging housekeeping",
        (
            *_TAG,
            _qualflg("ihk"),
            _id("sensortype", "V volt, T degree Celsius, A ampere, ? undefined", "S1"),
            _scalar("sensorvalue", "", "reading, unit given by sensortype"),
            _id("sensorname", "name of the sensor", "S"),
        ),
        dim="record",
        time_fields=("time_intg", "time_frac"),
        frac_units="ns" if code == "LHK1B" else "us",
        flags={"ihk_qualflg": GRACE_FLAGS["ihk"]},
        file_type=20 if code == "IHK1B" else None,
        file_type_name="ipIHK1XF",
        sensor="IPU",
    )


def _tagged(
    code: str,
    title: str,
    fields: tuple[Field, ...],
    file_type: int | None,
    type_name: str,
    **options: Any,
) -> Product:
    """Product whose records start with time_intg, time_frac, time_ref, id."""
    family = code[:3].lower()
    known = GRACE_FLAGS.get(family, ())
    return Product(
        code,
        title,
        (*_TAG, *fields),
        flags={f"{family}_qualflg": known} if known else {},
        file_type=file_type,
        file_type_name=type_name,
        **{**_TAGGED, **options},
    )


def _vectors(code: str, meaning: str) -> Product:
    """Vector layout, 38 bytes: magnitude times direction cosines."""
    family = code[:3].lower()
    return Product(
        code,
        meaning,
        (
            GPS_TIME,
            GRACE_ID,
            _scalar("mag", "m", "magnitude of the vector"),
            *(_scalar(f"cos{a}", "1", f"direction cosine, {a}") for a in _XYZ),
            _qualflg(family),
        ),
        dim="record",
        flags={f"{family}_qualflg": GRACE_FLAGS["vector"]},
        file_type=9,
        file_type_name="ipXXXVOF",
        sensor=code[:3],
    )


def _mag() -> Product:
    names = [f.name for f in (*_TAG, *MAG)] + ["mag_qualflg"]
    names[2:4] = ["GRACE_id", "time_ref"]  # ASCII swaps them, binary does not
    return _tagged(
        "MAG1B",
        "Magnetometer and magnetic torquers",
        (*MAG, _qualflg("mag")),
        15,
        "ipMAG1XF",
        text_order=tuple(names),
        sensor="MAG",
    )


def _ahk(optional: tuple[Field, ...]) -> Product:
    return _tagged(
        "AHK1B",
        "Accelerometer housekeeping",
        (_qualflg("ahk"), _prod_flag("u4"), *optional),
        4,
        "ipACC1AF",
        sensor="ACC",
    )


def _tnk(optional: tuple[Field, ...]) -> Product:
    head = (_id("tank_id", "tank: 1 at -x, 2 at +x", "S1"), _qualflg("tnk"))
    return _tagged(
        "TNK1B",
        "Cold gas tanks",
        (*head, _prod_flag("u1"), *optional),
        18,
        "ipTNK1XF",
        dim="record",
        sensor="TNK",
    )


def _lsm() -> Product:
    fields = (
        _scalar("lof_yaw", "urad", "yaw of the steering mirror"),
        _scalar("lof_pitch", "urad", "pitch of the steering mirror"),
        _qualflg("lsm"),
    )
    return Product(
        "LSM1B",
        "Laser steering mirror",
        (_INTG, replace(_FRAC, units="ns"), GRACE_ID, *fields),
        frac_units="ns",
        time_fields=("time_intg", "time_frac"),
        satellites="CD",
        sensor="LRI",
    )


def _ioa() -> Product:
    return Product(
        "IOA1B",
        "Inertial orientation of the accelerometer",
        (
            GPS_TIME,
            GRACE_ID,
            _vector(
                "quaternion",
                ("quatangle", "quaticoeff", "quatjcoeff", "quatkcoeff"),
                "1",
                "quaternion, scalar first",
                dim="quaternion_component",
            ),
            _qualflg("ioa"),
        ),
        file_type=10,
        file_type_name="ipIOA1BF",
        sensor="ACC",
    )


def _table() -> dict[str, Product]:
    found = [
        _acc("ACC1B", "Accelerations", "ABCD"),
        _acc("ACT1B", "Transplant accelerations", "ABCD"),
        _acc("ACH1B", "Hybrid transplant accelerations", "CD"),
        _acc("ACU1B", "Updated transplant accelerations", "CD"),
        _acc("AC01B", "Accelerations, thruster model 0", "CD"),
        _acc("AC11B", "Accelerations, thruster model 1", "CD"),
        _gnv("GNV1B", "Earth-fixed"),
        _gnv("GNI1B", "inertial"),
        _sca("SCA1B", "Attitude", "SCA"),
        _sca("QSA1B", "Alignment of the star cameras", "QSA"),
        _sca("QKS1B", "Alignment of the star cameras to the K-band frame", "QKS"),
        _sca("QSB1B", "Alignment of the body to the science frame", "QSB"),
        _ranging("KBR1B", "K-band ranging"),
        _ranging("LRI1B", "Laser ranging"),
        _gps(),
        _clock("CLK1B", "Clock offset"),
        _clock("LLK1B", "Clock offset of the laser ranging instrument"),
        _tim(grace_fo=False),
        _uso(),
        _tagged(
            "THR1B",
            "Thruster firings",
            (*THRUSTERS, _qualflg("thr")),
            16,
            "ipTHR1XF",
            sensor="THR",
        ),
        _mag(),
        _tnk(TANK),
        _tagged(
            "MAS1B",
            "Spacecraft mass",
            (_qualflg("mas"), _prod_flag("u1"), *MASSES),
            22,
            "ipMAS1XF",
            sensor="MAS",
        ),
        _ahk(AHK_GRACE),
        _ihk("IHK1B"),
        _ihk("LHK1B"),
        _tagged(
            "HRT1B",
            "High-resolution temperatures",
            (*HRT, _qualflg("hrt")),
            26,
            "ipHRT1XF",
            sensor="HRT",
        ),
        _lsm(),
        _ioa(),
        _vectors("VGN1B", "Vector to the main GPS antenna"),
        _vectors("VGB1B", "Vector to the backup GPS antenna"),
        _vectors("VGO1B", "Vector to the occultation GPS antenna"),
        _vectors("VKB1B", "Vector to the K-band phase centre"),
        _vectors("VSL1B", "Vector to the laser retro-reflector"),
        _vectors("VCM1B", "Vector to the centre of mass"),
    ]
    return {p.code: p for p in found}


def _for_grace_fo(product: Product) -> Product:
    """GRACE-FO form: no binary exists, so single precision would only lose digits."""
    fields = tuple(
        replace(f, dtype="f8") if f.dtype == "f4" else f for f in product.fields
    )
    flags = dict(product.flags)
    if product.code in ("KBR1B", "LRI1B"):
        flags = dict.fromkeys(flags, GRACE_FO_FLAGS["kbr"])
    return replace(product, fields=fields, flags=flags)


PRODUCTS: dict[str, Product] = _table()
"""Layout of every product by its code, in the GRACE form."""

GRACE_FO_PRODUCTS: dict[str, Product] = {
    code: _for_grace_fo(product)
    for code, product in {
        **PRODUCTS,
        "AHK1B": _ahk(AHK_GRACE_FO),
        "TNK1B": _tnk(TANK_GRACE_FO),
        "TIM1B": _tim(grace_fo=True),
    }.items()
}
"""The same in the GRACE-FO form: other housekeeping columns, nanoseconds in TIM1B."""


def is_grace_fo(satellite: str) -> bool:
    """Whether a satellite letter belongs to GRACE-FO (C, D, or the pair Y)."""
    return satellite in ("C", "D", "Y")


def product_of(code: str, satellite: str = "A") -> Product:
    """Layout of a product for the mission a satellite letter belongs to.

    Raises
    ------
    L1BFormatError
        The code is not a product this package reads.
    """
    table = GRACE_FO_PRODUCTS if is_grace_fo(satellite) else PRODUCTS
    if code not in table:
        known = ", ".join(sorted(table))
        raise L1BFormatError(f"unknown product {code!r}; readable are {known}")
    return table[code]
