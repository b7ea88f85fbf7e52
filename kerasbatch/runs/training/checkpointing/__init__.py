"""Writing the state of a training, and going on from one."""
