"""Fields that many products share, and short makers for the others."""

from __future__ import annotations

from gracelstm_xr.l1b.model import Field

XYZ = ("x", "y", "z")
GPS_TIME = Field("gps_time", ("gps_time",), "i4", "s", "GPS time", kind="time")
GRACE_ID = Field("GRACE_id", ("GRACE_id",), "S1", "", "satellite", kind="id")
TIME_INTG = Field("time_intg", ("time_intg",), "i4", "s", "whole seconds", kind="time")
TIME_FRAC = Field("time_frac", ("time_frac",), "i4", "us", "time fraction", kind="time")
TIME_REF = Field(
    "time_ref", ("time_ref",), "S1", "", "time scale: G GPS, R receiver", kind="char"
)


def vector(
    name: str, columns: tuple[str, ...], units: str, text: str, dim: str = "axis"
) -> Field:
    """Double-precision vector, one column per component."""
    return Field(name, columns, "f8", units, text, dim=dim)


def scalar(
    name: str, units: str, text: str, dtype: str = "f8", *, bit: int | None = None
) -> Field:
    """One column that carries a number; `bit` where ``prod_flag`` announces it."""
    return Field(name, (name,), dtype, units, text, bit=bit)


def ident(name: str, text: str, dtype: str = "i1", column: str = "") -> Field:
    """One column that names something."""
    return Field(name, (column or name,), dtype, "", text, kind="id")


def qualflg(family: str) -> Field:
    """Quality flags, named after the family of the product."""
    return Field(
        f"{family}_qualflg", ("qualflg",), "u1", "", "quality flags", kind="flag"
    )


def prod_flag(dtype: str) -> Field:
    """Bit field that says which values a record holds."""
    return Field("prod_flag", ("prod_flag",), dtype, "", "values present", kind="flag")
