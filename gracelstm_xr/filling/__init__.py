"""Fit, choose, fill and forecast: methods compete in hidden gaps."""
