"""Rules between the keys of a spec."""
