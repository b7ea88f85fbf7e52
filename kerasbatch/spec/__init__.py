"""What a spec says: YAML with places, keys, rules, legal Keras names, sweeps. Trains nothing."""
