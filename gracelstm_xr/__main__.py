"""``python -m gracelstm_xr``: the command line."""

from gracelstm_xr.cli import main

raise SystemExit(main())
