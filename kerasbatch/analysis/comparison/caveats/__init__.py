"""The reasons not to draw a conclusion from a comparison."""
