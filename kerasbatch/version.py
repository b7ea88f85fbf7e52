"""The version of kerasbatch; this module imports nothing."""

VERSION = "0.1.0"
