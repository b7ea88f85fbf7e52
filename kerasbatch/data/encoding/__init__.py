"""Data in the form that the model gets, fitted to the training part."""
