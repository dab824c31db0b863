"""Helpers that know nothing of captchas."""
