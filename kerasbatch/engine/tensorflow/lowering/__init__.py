"""Keras' operations in forms that XLA compiles to fast code on CPUs."""
