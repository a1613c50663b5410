"""Where models come from: each gives a module, its inputs and its provenance."""
