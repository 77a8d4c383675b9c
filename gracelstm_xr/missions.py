"""The missions: satellites, twins, masses, forms of files. One row a mission.

Everything that depends on which satellite it is comes from this table. A new mission,
or a new letter, is a row here.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

__all__ = [
    "GRACE",
    "GRACE_FO",
    "LETTERS",
    "MASS",
    "MISSIONS",
    "PAIRS",
    "SATELLITES",
    "TWINS",
    "Mission",
    "mission_named",
    "mission_of",
    "missions_of",
]


@dataclass(frozen=True)
class Mission:
    """One pair of satellites that follow each other.

    Attributes
    ----------
    name : str
        As it is written: ``"GRACE-FO"``.
    satellites : str
        Letters of the two.
    pair : str
        Letter of products that belong to both, such as KBR1B.
    mass : float
        Mass of each satellite in the middle of the mission [kg]; at launch it was 487
        (A, B) and 600 (C, D).
    prefix : str
        What the names of its archives begin with.
    format : {"binary", "text"}
        Form of its official Level-1B files.
    extension : str
        Of the names of these files.
    release : str
        The one assumed where nothing says which.
    tarballs : str
        Names of its daily tarballs, with places for ``date`` and ``release``.
    collection : str
        What PO.DAAC calls its Level-1B data, without the release.
    """

    name: str
    satellites: str
    pair: str
    mass: float
    prefix: str
    format: Literal["binary", "text"]
    extension: str
    release: str
    tarballs: str
    collection: str

    @property
    def key(self) -> str:
        """The name that users give: ``"grace-fo"``."""
        return self.name.lower()

    @property
    def letters(self) -> str:
        """Letters of the satellites and of the pair."""
        return self.satellites + self.pair

    def tarball(self, date: dt.date, release: str) -> str:
        """Name of the tarball of a day."""
        return self.tarballs.format(date=date, release=release)


GRACE = Mission(
    "GRACE",
    "AB",
    "X",
    475.0,
    "grace",
    "binary",
    "dat",
    "02",
    tarballs="grace_1B_{date}_{release}.tar.gz",
    collection="GRACE_L1B_GRAV_JPL",
)
GRACE_FO = Mission(
    "GRACE-FO",
    "CD",
    "Y",
    590.0,
    "gracefo",
    "text",
    "txt",
    "04",
    tarballs="gracefo_1B_{date}_RL{release}.ascii.noLRI.tgz",
    collection="GRACEFO_L1B_ASCII_GRAV_JPL",
)

MISSIONS = (GRACE, GRACE_FO)
"""All missions, in order of time."""

SATELLITES = "".join(m.satellites for m in MISSIONS)
"""Letters of all satellites."""

LETTERS = "".join(m.letters for m in MISSIONS)
"""Letters of all satellites and pairs."""

TWINS = {
    letter: twin
    for m in MISSIONS
    for letter, twin in zip(m.satellites, reversed(m.satellites), strict=True)
}
"""Letter of a satellite to that of its twin."""

MASS = {letter: m.mass for m in MISSIONS for letter in m.satellites}
"""Letter of a satellite to its mass [kg]."""

PAIRS = {"+".join(m.satellites): m.pair for m in MISSIONS}
"""Names of pairs in headers, ``"A+B"``, to their letters."""

_BY_LETTER = {letter: m for m in MISSIONS for letter in m.letters}


def mission_of(letter: str) -> Mission:
    """Mission of a satellite or pair letter; GRACE for a letter of none."""
    return _BY_LETTER.get(letter, GRACE)


def missions_of(letters: Iterable[str]) -> list[str]:
    """Sorted names of the missions that letters belong to."""
    return sorted({mission_of(str(letter)).name for letter in letters})


def mission_named(key: str) -> Mission:
    """Mission of a `Mission.key`."""
    return next(m for m in MISSIONS if m.key == key)
