"""The Python code that a spec names: called in its folder, and identified by its files."""
