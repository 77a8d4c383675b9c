"""Tables of the Level-1B products: fields, binary types, units, flags.

Layouts of section order: accelerations, orbit, attitude, ranging, timing,
housekeeping, alignment. Sources: JPL struct headers (2008-03-20), checked
against the official binary and ASCII samples where those exist; GRACE-FO
columns from the RL04 column lists. HRT1B, LSM1B, LHK1B, LLK1B, VCM1B, QSB1B
and IOA1B follow the published tables without a sample to check against.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

from gracelstm_xr.errors import L1BFormatError
from gracelstm_xr.l1b.fields import (
    GRACE_ID,
    TIME_FRAC,
    TIME_INTG,
    TIME_REF,
    ident,
    prod_flag,
    qualflg,
    scalar,
)
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
from gracelstm_xr.l1b.science import (
    accelerations,
    accelerometer_frame,
    antenna_vector,
    attitude,
    orbit,
    ranging,
)
from gracelstm_xr.l1b.timing import clock, gps_observables, oscillator, time_mapping
from gracelstm_xr.missions import GRACE_FO, SATELLITES, mission_of

__all__ = ["GRACE_FO_PRODUCTS", "PRODUCTS", "is_grace_fo", "product_of"]

_TAG = (TIME_INTG, TIME_FRAC, TIME_REF, GRACE_ID)
_TAGGED: dict[str, Any] = {
    "time_fields": ("time_intg", "time_frac"),
    "frac_units": "us",
}


def _ihk(code: str) -> Product:
    """Sensor readings in long form: one row per sensor, name as a string."""
    unit: Literal["us", "ns"] = "ns" if code == "LHK1B" else "us"
    return Product(
        code,
        "Instrument processor housekeeping"
        if code == "IHK1B"
        else "Laser ranging housekeeping",
        (
            TIME_INTG,
            replace(TIME_FRAC, units=unit),
            TIME_REF,
            GRACE_ID,
            qualflg("ihk"),
            ident("sensortype", "V volt, T degC, A ampere, ? undefined", "S1"),
            scalar("sensorvalue", "", "reading, unit given by sensortype"),
            ident("sensorname", "name of the sensor", "S"),
        ),
        dim="record",
        time_fields=("time_intg", "time_frac"),
        frac_units=unit,
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


def _mag() -> Product:
    names = [f.name for f in (*_TAG, *MAG)] + ["mag_qualflg"]
    names[2:4] = ["GRACE_id", "time_ref"]  # ASCII swaps them, binary does not
    return _tagged(
        "MAG1B",
        "Magnetometer and magnetic torquers",
        (*MAG, qualflg("mag")),
        15,
        "ipMAG1XF",
        text_order=tuple(names),
        sensor="MAG",
    )


def _ahk(optional: tuple[Field, ...]) -> Product:
    return _tagged(
        "AHK1B",
        "Accelerometer housekeeping",
        (qualflg("ahk"), prod_flag("u4"), *optional),
        4,
        "ipACC1AF",
        sensor="ACC",
    )


def _tnk(optional: tuple[Field, ...]) -> Product:
    head = (ident("tank_id", "tank: 1 at -x, 2 at +x", "S1"), qualflg("tnk"))
    return _tagged(
        "TNK1B",
        "Cold gas tanks",
        (*head, prod_flag("u1"), *optional),
        18,
        "ipTNK1XF",
        dim="record",
        sensor="TNK",
    )


def _lsm() -> Product:
    fields = (
        scalar("lof_yaw", "urad", "yaw of the steering mirror"),
        scalar("lof_pitch", "urad", "pitch of the steering mirror"),
        qualflg("lsm"),
    )
    return Product(
        "LSM1B",
        "Laser steering mirror",
        (TIME_INTG, replace(TIME_FRAC, units="ns"), GRACE_ID, *fields),
        frac_units="ns",
        time_fields=("time_intg", "time_frac"),
        satellites=GRACE_FO.satellites,
        sensor="LRI",
    )


def _table() -> dict[str, Product]:
    found = [
        accelerations("ACC1B", "Accelerations", SATELLITES),
        accelerations("ACT1B", "Transplant accelerations", SATELLITES),
        accelerations("ACH1B", "Hybrid transplant accelerations", GRACE_FO.satellites),
        accelerations("ACU1B", "Updated transplant accelerations", GRACE_FO.satellites),
        accelerations("AC01B", "Accelerations, thruster model 0", GRACE_FO.satellites),
        accelerations("AC11B", "Accelerations, thruster model 1", GRACE_FO.satellites),
        orbit("GNV1B", "Earth-fixed"),
        orbit("GNI1B", "inertial"),
        attitude("SCA1B", "Attitude", "SCA"),
        attitude("QSA1B", "Alignment of the star cameras", "QSA"),
        attitude("QKS1B", "Alignment of the star cameras to the K-band frame", "QKS"),
        attitude("QSB1B", "Alignment of the body to the science frame", "QSB"),
        ranging("KBR1B", "K-band ranging"),
        ranging("LRI1B", "Laser ranging"),
        gps_observables(),
        clock("CLK1B", "Clock offset"),
        clock("LLK1B", "Clock offset of the laser ranging instrument"),
        time_mapping(grace_fo=False),
        oscillator(),
        _tagged(
            "THR1B",
            "Thruster firings",
            (*THRUSTERS, qualflg("thr")),
            16,
            "ipTHR1XF",
            sensor="THR",
        ),
        _mag(),
        _tnk(TANK),
        _tagged(
            "MAS1B",
            "Spacecraft mass",
            (qualflg("mas"), prod_flag("u1"), *MASSES),
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
            (*HRT, qualflg("hrt")),
            26,
            "ipHRT1XF",
            sensor="HRT",
        ),
        _lsm(),
        accelerometer_frame(),
        antenna_vector("VGN1B", "Vector to the main GPS antenna"),
        antenna_vector("VGB1B", "Vector to the backup GPS antenna"),
        antenna_vector("VGO1B", "Vector to the occultation GPS antenna"),
        antenna_vector("VKB1B", "Vector to the K-band phase centre"),
        antenna_vector("VSL1B", "Vector to the laser retro-reflector"),
        antenna_vector("VCM1B", "Vector to the centre of mass"),
    ]
    return {p.code: _name_prod_flag(p) for p in found}


def _name_prod_flag(product: Product) -> Product:
    """Give the bits of ``prod_flag`` the names of the values they announce."""
    if not product.optional:
        return product
    names = tuple((1 << (f.bit or 0), f.name) for f in product.optional)
    return replace(product, flags={**product.flags, "prod_flag": names})


def _for_grace_fo(product: Product) -> Product:
    """GRACE-FO form: no binary exists, so single precision would only lose digits."""
    fields = tuple(
        replace(f, dtype="f8") if f.dtype == "f4" else f for f in product.fields
    )
    flags = dict(product.flags)
    if product.code in ("KBR1B", "LRI1B"):
        flags = dict.fromkeys(flags, GRACE_FO_FLAGS["kbr"])
    return _name_prod_flag(replace(product, fields=fields, flags=flags))


PRODUCTS: dict[str, Product] = _table()
"""Layout of every product by its code, in the GRACE form."""

GRACE_FO_PRODUCTS: dict[str, Product] = {
    code: _for_grace_fo(product)
    for code, product in {
        **PRODUCTS,
        "AHK1B": _ahk(AHK_GRACE_FO),
        "TNK1B": _tnk(TANK_GRACE_FO),
        "TIM1B": time_mapping(grace_fo=True),
    }.items()
}
"""The same in the GRACE-FO form: other housekeeping columns, nanoseconds in TIM1B."""


def is_grace_fo(satellite: str) -> bool:
    """Whether a satellite letter belongs to GRACE-FO (C, D, or the pair Y)."""
    return mission_of(satellite) is GRACE_FO


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
