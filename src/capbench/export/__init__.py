"""Export of a run to ONNX, and reading with the exported graph without torch."""
