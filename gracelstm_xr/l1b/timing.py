"""Layouts of the timing products and of the GPS observables."""

from __future__ import annotations

from dataclasses import replace

from gracelstm_xr.l1b.fields import (
    GPS_TIME,
    GRACE_ID,
    TIME_FRAC,
    TIME_INTG,
    ident,
    prod_flag,
    qualflg,
    scalar,
)
from gracelstm_xr.l1b.flags import GRACE_FLAGS
from gracelstm_xr.l1b.model import Field, Product


def clock(code: str, title: str) -> Product:
    """Clock layout, 39 bytes; segment limits repeat time tags."""
    return Product(
        code,
        title,
        (
            Field("rcv_time", ("rcv_time",), "i4", "s", "receiver time", kind="time"),
            GRACE_ID,
            ident("clock_id", "clock"),
            scalar("eps_time", "s", "clock offset: GPS time minus receiver time"),
            scalar("eps_err", "s", "formal error of the clock offset"),
            scalar("eps_drift", "1", "clock drift [s/s]"),
            scalar("drift_err", "1", "formal error of the clock drift [s/s]"),
            qualflg("clk"),
        ),
        dim="record",
        time_fields=("rcv_time",),
        flags={"clk_qualflg": GRACE_FLAGS["clk"]},
        file_type=17 if code == "CLK1B" else None,
        file_type_name="ipCLK1BF",
        sensor="IPU",
    )


def time_mapping(*, grace_fo: bool) -> Product:
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
            ident("TS_suppid", "kind of on-board time", "i4"),
            scalar(f"{mapped}_intg", "s", "mapped time, whole seconds", "i4"),
            scalar(f"{mapped}_frac", unit, "mapped time, fraction", "i4"),
            ident("first_icu_blknr", "first accelerometer block number", "i4"),
            ident("final_icu_blknr", "last accelerometer block number", "i4"),
            qualflg("tim"),
        ),
        frac_units="ns" if grace_fo else "us",
        time_fields=(first,),
        flags={"tim_qualflg": GRACE_FLAGS["tim"]},
        file_type=23,
        file_type_name="ipTIM1XF",
        sensor="OBDH/IPU",
    )


def oscillator() -> Product:
    """Oscillator frequencies, 31 bytes, two records span a day."""
    return Product(
        "USO1B",
        "Frequencies of the ultra-stable oscillator and the K/Ka band",
        (
            GPS_TIME,
            GRACE_ID,
            ident("uso_id", "oscillator"),
            scalar("uso_freq", "Hz", "frequency of the oscillator"),
            scalar("K_freq", "Hz", "frequency of the K band"),
            scalar("Ka_freq", "Hz", "frequency of the Ka band"),
            qualflg("uso"),
        ),
        dim="record",
        flags={"uso_qualflg": GRACE_FLAGS["uso"]},
        file_type=11,
        file_type_name="ipOSCFQF",
        sensor="USO",
    )


def gps_observables() -> Product:
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
        scalar(f"{band}_{kind}", units, f"{band} {kind}", dtype, bit=first + i)
        for kind, units, dtype, names, first in bands
        for i, band in enumerate(names)
    )
    return Product(
        "GPS1B",
        "GPS observables",
        (
            replace(TIME_INTG, name="rcvtime_intg", columns=("rcvtime_intg",)),
            replace(TIME_FRAC, name="rcvtime_frac", columns=("rcvtime_frac",)),
            GRACE_ID,
            ident("prn_id", "GPS satellite"),
            ident("ant_id", "antenna"),
            prod_flag("u2"),
            qualflg("gps"),
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
