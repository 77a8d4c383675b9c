"""Level-1B files: bytes to numpy arrays and back.

This layer knows neither xarray nor dask. `read` decodes any product in any of
the three formats (GRACE binary, GRACE ASCII, GRACE-FO text), `read_header`
only the header, `write` is the inverse, and the archive functions deal with
members of tarballs.
"""

from __future__ import annotations

from gracelstm_xr.l1b.encoder import encode, write
from gracelstm_xr.l1b.model import (
    Field,
    FileName,
    Flags,
    Header,
    L1BFile,
    Product,
    ReadReport,
    parse_name,
)
from gracelstm_xr.l1b.products import (
    GRACE_FO_PRODUCTS,
    PRODUCTS,
    is_grace_fo,
    product_of,
)
from gracelstm_xr.l1b.reader import read, read_bytes, read_header
from gracelstm_xr.l1b.tarball import (
    members,
    read_members,
    verify_checksums,
    write_archive,
)

__all__ = [
    "GRACE_FO_PRODUCTS",
    "PRODUCTS",
    "Field",
    "FileName",
    "Flags",
    "Header",
    "L1BFile",
    "Product",
    "ReadReport",
    "encode",
    "is_grace_fo",
    "members",
    "parse_name",
    "product_of",
    "read",
    "read_bytes",
    "read_header",
    "read_members",
    "verify_checksums",
    "write",
    "write_archive",
]
