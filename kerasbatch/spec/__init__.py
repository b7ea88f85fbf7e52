"""Reads and checks specs, without TensorFlow."""
