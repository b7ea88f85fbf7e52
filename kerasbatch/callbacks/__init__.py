"""Watches anybody's `fit`: counts steps, records a history, stops, reports progress."""
