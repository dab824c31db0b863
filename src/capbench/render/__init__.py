"""The renderer: from a style to pixels."""
