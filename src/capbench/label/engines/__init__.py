"""Engines that read the text of an image: OCR packages, a web service, and finished runs."""
