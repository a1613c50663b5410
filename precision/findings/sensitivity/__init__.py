"""What every layer adds to the error in every format: how it was measured, its rows, layers together."""
