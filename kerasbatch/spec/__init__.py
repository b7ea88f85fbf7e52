"""What a spec says, and whether it is right; nothing here needs TensorFlow."""
