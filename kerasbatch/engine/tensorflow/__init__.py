"""The engine's home on TensorFlow: programs of many steps, with XLA or without."""
