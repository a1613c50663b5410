"""Checkpoints whose weights are stored in a narrower format: what it is, and the weights as floating-point numbers."""
