"""The command line: from overrides to settings to one call."""
