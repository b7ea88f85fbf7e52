"""The YAML text of a spec, with the places of its values."""
