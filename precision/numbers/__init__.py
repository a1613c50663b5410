"""One number: as a person types it, as every format stores it, and in words."""
