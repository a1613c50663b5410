"""Files from a browser: streamed to disk within limits, kept as long as a session holds them."""
