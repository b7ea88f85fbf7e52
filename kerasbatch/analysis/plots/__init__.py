"""Plots of runs, one module per kind."""
