"""Executors: this process, worker processes on this machine, a Ray cluster."""
