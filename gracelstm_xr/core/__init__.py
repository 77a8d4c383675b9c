"""What every Dataset of the package shares: time, labels, names, units, missions."""
