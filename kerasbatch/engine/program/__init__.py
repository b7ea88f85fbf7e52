"""The compiled program of a model: blocks of steps, whole epochs, evaluations."""
