"""Tables of named columns: reading them, and their conversion to numbers."""
