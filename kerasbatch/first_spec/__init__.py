"""The first spec for somebody's data: what `kerasbatch init` writes."""
