"""Timings of engines, data paths and sweeps; no run is trained."""
