"""Engines that read without being trained here, and the rule by which their answers become labels."""
