"""Renderer of captchas: from a style to pixels."""
