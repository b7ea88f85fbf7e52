"""The files of a run and of an experiment; nothing here needs Keras."""
