"""Texts as the numbers of their words."""
