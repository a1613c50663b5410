"""One training step in a 16-bit format beside float32's."""
