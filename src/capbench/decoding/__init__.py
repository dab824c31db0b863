"""Decoding: the best text among those that a user allows, and the value of a sum."""
