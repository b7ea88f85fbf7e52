"""Run directories as pandas tables."""
