"""Cleaning, resampling, calibration and gap tables of observed series."""
