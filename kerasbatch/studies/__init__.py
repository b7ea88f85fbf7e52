"""What needs both training and analysis: the notes' claims, put to the test."""
