"""Dask: work in blocks and days, here or on a cluster, with progress."""
