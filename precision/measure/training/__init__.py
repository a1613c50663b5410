"""One training step in a 16-bit format, compared with float32."""
