"""Strength of a captcha: how soon it falls."""
