"""Searches over the runs of a sweep: the next runs, by the results of completed rounds."""
