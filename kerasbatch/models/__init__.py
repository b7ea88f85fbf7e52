"""The model of a spec, built and compiled, and its callbacks."""
