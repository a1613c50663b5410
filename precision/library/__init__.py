"""The library: every analysis on a module of the caller's own, with results that print and draw themselves."""
