"""Advice on the batch size, and its verification."""
