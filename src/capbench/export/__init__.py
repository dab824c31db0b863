"""Export of a run to ONNX, and a reader of the exported graph that works without torch."""
