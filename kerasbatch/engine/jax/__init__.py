"""The engine's home on JAX: programs of many steps, compiled by XLA."""
