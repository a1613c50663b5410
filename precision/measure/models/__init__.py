"""Models with their weights and inputs, ready to run."""
