"""Presentation: pictures, tables, single-file HTML."""
