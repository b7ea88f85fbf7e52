"""The runs of a sweep: its axes, its searches, and the spec of every run."""
