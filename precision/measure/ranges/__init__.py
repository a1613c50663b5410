"""One reference pass, every value of it counted by its exponent."""
