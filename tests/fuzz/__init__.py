"""Fuzzing of every entry point for untrusted bytes ("door"): one module for each door, and one harness for all.

`python -m tests.fuzz DOOR count=50000 seed=1 first=0` sends inputs through one door; see docs/explanation/fuzzing.md.
"""
