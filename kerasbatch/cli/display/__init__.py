"""Tables, progress and drawings for the terminal."""
