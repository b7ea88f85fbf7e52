"""The data of a spec as arrays."""
