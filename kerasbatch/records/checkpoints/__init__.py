"""Checkpoints: the states of a training in files, to go on from."""
