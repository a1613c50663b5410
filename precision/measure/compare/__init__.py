"""The outputs of two models compared; and both against float64, and against real kernels."""
