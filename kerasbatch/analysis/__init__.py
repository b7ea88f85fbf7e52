"""Run directories -> tables and verdicts; never TensorFlow."""
