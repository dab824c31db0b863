"""Sweeps and searches: many runs started by one command."""
