"""The only room that computes: everything that needs torch, transformers, torchao or numba."""
