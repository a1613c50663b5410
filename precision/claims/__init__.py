"""The articles' claims as experiments."""
