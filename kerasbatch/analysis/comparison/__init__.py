"""The comparison of runs and its caveats."""
