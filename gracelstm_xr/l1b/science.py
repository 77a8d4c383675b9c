"""Layouts of the core science products and the alignment products."""

from __future__ import annotations

from gracelstm_xr.l1b.fields import (
    GPS_TIME,
    GRACE_ID,
    XYZ,
    ident,
    qualflg,
    scalar,
    vector,
)
from gracelstm_xr.l1b.flags import GRACE_FLAGS
from gracelstm_xr.l1b.model import Field, Product


def accelerations(code: str, title: str, satellites: str) -> Product:
    """Accelerometer layout, 78 bytes, 12 columns (shared by six products)."""
    return Product(
        code,
        title,
        (
            GPS_TIME,
            GRACE_ID,
            vector(
                "lin_accl",
                tuple(f"lin_accl_{a}" for a in XYZ),
                "m s-2",
                "linear acceleration in the science reference frame, uncalibrated",
            ),
            vector(
                "ang_accl",
                tuple(f"ang_accl_{a}" for a in XYZ),
                "rad s-2",
                "angular acceleration in the science reference frame",
            ),
            vector(
                "acl_res",
                tuple(f"acl_{a}_res" for a in XYZ),
                "m s-2",
                "filtered minus unfiltered linear acceleration",
            ),
            qualflg("acc"),
        ),
        flags={"acc_qualflg": GRACE_FLAGS["acc"]},
        file_type=8 if code in ("ACC1B", "ACT1B") else None,
        file_type_name="ipACC1BF",
        satellites=satellites,
        sensor="ACC",
    )


def orbit(code: str, frame: str) -> Product:
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
            vector(
                "position",
                tuple(f"{a}pos" for a in XYZ),
                "m",
                f"position of the centre of mass, {frame}",
            ),
            vector(
                "position_error",
                tuple(f"{a}pos_err" for a in XYZ),
                "m",
                "formal error of the position",
            ),
            vector(
                "velocity",
                tuple(f"{a}vel" for a in XYZ),
                "m s-1",
                f"velocity of the centre of mass, {frame}",
            ),
            vector(
                "velocity_error",
                tuple(f"{a}vel_err" for a in XYZ),
                "m s-1",
                "formal error of the velocity",
            ),
            qualflg("gnv"),
        ),
        flags={"gnv_qualflg": GRACE_FLAGS["gnv"]},
        file_type=5 if code == "GNV1B" else None,
        file_type_name="ipGNV1BF",
        sensor="IPU",
    )


def attitude(code: str, title: str, sensor: str) -> Product:
    """Attitude layout, 47 bytes, scalar-first quaternion."""
    static = code != "SCA1B"
    return Product(
        code,
        title,
        (
            GPS_TIME,
            GRACE_ID,
            ident("sca_id", "star camera heads used"),
            vector(
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
            qualflg("sca"),
        ),
        dim="record" if static else "time",
        flags={"sca_qualflg": GRACE_FLAGS["sca"]},
        file_type=6,
        file_type_name="ipSCA1BF",
        sensor=sensor,
    )


def ranging(code: str, title: str) -> Product:
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
            *(scalar(*item) for item in scalars),
            *(
                scalar(
                    name,
                    "dB Hz" if laser else "0.1 dB Hz",
                    "signal to noise ratio",
                    "f8" if laser else "u2",
                )
                for name in snr
            ),
            qualflg(family),
        ),
        flags={f"{family}_qualflg": GRACE_FLAGS["kbr"]},
        file_type=None if laser else 7,
        file_type_name="ipKBR1BF",
        satellites="Y" if laser else "XY",
        sensor="LRI" if laser else "IPU 1+1",
    )


def antenna_vector(code: str, meaning: str) -> Product:
    """Vector layout, 38 bytes: magnitude times direction cosines."""
    family = code[:3].lower()
    return Product(
        code,
        meaning,
        (
            GPS_TIME,
            GRACE_ID,
            scalar("mag", "m", "magnitude of the vector"),
            *(scalar(f"cos{a}", "1", f"direction cosine, {a}") for a in XYZ),
            qualflg(family),
        ),
        dim="record",
        flags={f"{family}_qualflg": GRACE_FLAGS["vector"]},
        file_type=9,
        file_type_name="ipXXXVOF",
        sensor=code[:3],
    )


def accelerometer_frame() -> Product:
    """Inertial orientation of the accelerometer, 38 bytes."""
    return Product(
        "IOA1B",
        "Inertial orientation of the accelerometer",
        (
            GPS_TIME,
            GRACE_ID,
            vector(
                "quaternion",
                ("quatangle", "quaticoeff", "quatjcoeff", "quatkcoeff"),
                "1",
                "quaternion, scalar first",
                dim="quaternion_component",
            ),
            qualflg("ioa"),
        ),
        file_type=10,
        file_type_name="ipIOA1BF",
        sensor="ACC",
    )
