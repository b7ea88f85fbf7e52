"""The statements of the lecture notes, tested by experiment."""
