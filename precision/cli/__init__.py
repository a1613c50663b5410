"""The command line. Only what computes imports torch, when it is about to compute."""
