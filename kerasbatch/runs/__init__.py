"""From a spec to finished run directories."""
