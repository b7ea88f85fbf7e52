"""The model of a spec, built and compiled, and the callbacks of a spec."""
