"""Convolutions and pools as slices and matrix products, for XLA on CPUs."""
