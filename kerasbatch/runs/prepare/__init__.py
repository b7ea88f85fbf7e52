"""Checks and plans of runs, before anything is trained."""
