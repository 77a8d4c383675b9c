"""Files for others: CF netCDF, and Level-1B for gravity software."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gracelstm_xr.lazy import hand_on

if TYPE_CHECKING:
    from gracelstm_xr.export.l1b import to_l1b
    from gracelstm_xr.export.netcdf import to_netcdf

__all__ = [
    "to_l1b",
    "to_netcdf",
]

__getattr__, __dir__ = hand_on(
    __name__,
    {
        "to_l1b": "gracelstm_xr.export.l1b",
        "to_netcdf": "gracelstm_xr.export.netcdf",
    },
)
