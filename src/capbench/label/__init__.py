"""Labels for raw images: engines, and the rule by which their readings become labels."""
