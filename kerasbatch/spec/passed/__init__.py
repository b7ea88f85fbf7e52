"""Objects that Python code passes in place of parts of a spec: data, models and callbacks."""
