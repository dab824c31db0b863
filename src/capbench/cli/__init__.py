"""Command line: from overrides to settings to one function call."""
