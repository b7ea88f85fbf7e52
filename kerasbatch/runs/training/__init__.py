"""The training of one run, in one process."""
