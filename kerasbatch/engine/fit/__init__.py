"""The drop-in for model.fit: arguments, arrays, dispatch."""
