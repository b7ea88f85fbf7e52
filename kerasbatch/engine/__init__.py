"""The fused engine: trains any compiled Keras model, and knows no spec."""
