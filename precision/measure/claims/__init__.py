"""The claims of two articles, tried on a model."""
