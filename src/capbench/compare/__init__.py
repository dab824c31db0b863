"""Comparison of runs: ranking, learning curves, gallery, page."""
