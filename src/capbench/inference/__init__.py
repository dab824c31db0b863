"""Reading with a finished run."""
