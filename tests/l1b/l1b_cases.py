"""Level-1B files built byte by byte from the format description."""

from __future__ import annotations

import dataclasses
import struct

LAYOUT_CODES = {
    "ACC1B": ("ipACC1BF", 8),
    "GNV1B": ("ipGNV1BF", 5),
    "SCA1B": ("ipSCA1BF", 6),
    "QSA1B": ("ipSCA1BF", 6),
    "KBR1B": ("ipKBR1BF", 7),
    "THR1B": ("ipTHR1XF", 16),
    "MAG1B": ("ipMAG1XF", 15),
    "TNK1B": ("ipTNK1XF", 18),
    "MAS1B": ("ipMAS1XF", 22),
    "AHK1B": ("ipACC1AF", 4),
    "IHK1B": ("ipIHK1XF", 20),
    "CLK1B": ("ipCLK1BF", 17),
    "TIM1B": ("ipTIM1XF", 23),
    "USO1B": ("ipOSCFQF", 11),
    "GPS1B": ("ipGFD1XF", 1),
    "VKB1B": ("ipXXXVOF", 9),
}


def legacy_header(
    code: str, records: int, *, ascii: bool = False, satellite: str = "A"
) -> bytes:
    """Header of 81-byte records, 6 of them (a real one has 19 and more)."""
    name, number = LAYOUT_CODES[code]
    platform = {"X": "A+B", "Y": "C+D"}.get(satellite, satellite)
    lines = [
        ("PRODUCER AGENCY", "NASA"),
        (f"FILE TYPE {name}", str(number)),
        ("FILE FORMAT 0=BINARY 1=ASCII", str(int(ascii))),
        ("SATELLITE NAME", f"GRACE {platform}"),
        ("NUMBER OF DATA RECORDS", str(records)),
        ("INPUT FILE NAME", "ACC1A<-ACC1A_2003-09-14_A_00.dat"),
    ]
    text = "".join(f"{label:<30}: {value:<48}\n" for label, value in lines)
    return (text + f"{'END OF HEADER':<80}\n").encode()


@dataclasses.dataclass
class Case:
    """One product: its records in binary and in ASCII, and what they mean."""

    code: str
    binary: list[bytes]
    lines: list[str]
    expected: dict[str, object]
    satellite: str = "A"

    @property
    def stem(self) -> str:
        return f"{self.code}_2003-09-14_{self.satellite}_02"

    def dat(self) -> bytes:
        head = legacy_header(self.code, len(self.binary), satellite=self.satellite)
        return head + b"".join(self.binary)

    def asc(self) -> bytes:
        head = legacy_header(
            self.code, len(self.lines), ascii=True, satellite=self.satellite
        )
        return head + "".join(f"{line}\n" for line in self.lines).encode()


def acc_record(second: int, flag: int = 0, satellite: bytes = b"A") -> bytes:
    """ACC1B record of 78 bytes with values that doubles hold exactly."""
    values = (0.5, -0.25, 0.125, 1.5, 2.5, 3.5, -1.0, 0.0, 1e-05)
    return struct.pack(">ic9dB", second, satellite, *values, flag)


ACC_LINE = "{second} {satellite} 0.5 -0.25 0.125 1.5 2.5 3.5 -1 0 1e-05  {flag:08b}"


YAML_ACC = """\
header:
  dimensions:
    num_records: {records}
  global_attributes:
    conventions: CF-1.6, ACDD-1.3, ISO 8601
    history:
      - "INPUT FILE NAME               : ACC1A<-ACC1A_2030-01-01_C_04.dat"
    id: 10.0000/EXAMPLE
    platform: GRACE C
    processing_level: 1B
    product_version: 04
    time_coverage_start: 2030-01-01T00:00:00Z
    time_coverage_stop: 2030-01-01T00:00:01Z
    title: Made-up accelerometer sample
  non-standard_attributes:
    epoch_time: 2000-01-01T12:00:00Z
    start_time_epoch_secs: 946728000
    stop_time_epoch_secs: 946728001
  variables:
    - gps_time:
        comment: 1st column
        coverage_content_type: referenceInformation
        long_name: seconds since epoch
        units: second
    - GRACEFO_id:
        comment: 2nd column
        units: char
        valid_range: C,D
{vectors}    - qualflg:
        comment: 12th column
        coverage_content_type: qualityInformation
        flag_masks: 1b, 2b, 4b, 8b, 16b, 32b, 64b, 128b
        flag_meanings:
          - bit 0 = Proof mass voltage out of range
          - bits 1-2 = Not defined
          - bits 3-4 = Clock state
          - bits 5-7 = Not defined
        long_name: Quality flags, rightmost is bit 0
# End of YAML header
"""
VECTORS = "".join(
    f"    - {name}:\n        comment: column {i}\n        units: m/s2\n"
    for i, name in enumerate(
        [f"lin_accl_{a}" for a in "xyz"]
        + [f"ang_accl_{a}" for a in "xyz"]
        + [f"acl_{a}_res" for a in "xyz"],
        3,
    )
)
