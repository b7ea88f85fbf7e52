"""A spec's data and model, as arrays and as a built, compiled model."""
