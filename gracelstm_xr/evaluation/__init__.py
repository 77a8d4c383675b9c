"""Judging a fitted model: gaps hidden and filled, metrics, controls, a report.

``evaluate`` of `gracelstm_xr.evaluate` is the way in; the modules here are its parts.
"""
