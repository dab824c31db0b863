"""Labels for raw images: OCR engines and the rules that turn their readings into labels."""
