"""Using what was exported, without torch."""
