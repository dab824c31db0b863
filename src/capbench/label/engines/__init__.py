"""Engines that read without a training."""
