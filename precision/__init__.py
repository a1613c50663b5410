"""Precision Explorer: what a number format does to a model."""
