"""A run layer by layer as a graph: boxes within boxes, and what flows between them."""
