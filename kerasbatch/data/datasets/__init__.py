"""Datasets of any library as arrays, read once into the cache."""
