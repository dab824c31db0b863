"""Fuzzing of every door through which a stranger's bytes come in: one module for each door, and one harness for all.

`python -m tests.fuzz DOOR count=50000 seed=1 first=0` sends inputs through one of them; docs/fuzzing.md says more.
"""
