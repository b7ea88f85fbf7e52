"""A comparison as text: cells, the answer, and the recommendation."""
