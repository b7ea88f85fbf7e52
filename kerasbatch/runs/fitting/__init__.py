"""`kerasbatch.fit` with a record of the training, and with checkpoints."""
