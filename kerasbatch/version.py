"""The version of kerasbatch, its one home; reading it imports nothing."""

VERSION = "0.1.0"
