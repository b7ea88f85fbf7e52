"""A cache of arrays on the disk, written whole or not at all."""
