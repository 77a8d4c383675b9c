"""GRACE and GRACE-FO accelerometer data in xarray, gaps filled with an LSTM."""
