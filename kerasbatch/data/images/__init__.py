"""Images in folders, read once into the cache."""
