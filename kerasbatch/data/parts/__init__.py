"""The parts of a data set: training, validation, test."""
