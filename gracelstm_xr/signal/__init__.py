"""Regular series as numpy arrays: interpolation, filters, bins, noise models."""
