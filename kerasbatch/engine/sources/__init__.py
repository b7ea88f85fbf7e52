"""Sources of training steps: resident arrays, streamed arrays, batches of a dataset."""
