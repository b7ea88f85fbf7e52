"""The noise scale of the gradient."""
