"""Strength of a captcha: labelled images and time that recognisers need to read it."""
