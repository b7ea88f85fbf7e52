"""The files of a run and of an experiment; this package does not import Keras."""
