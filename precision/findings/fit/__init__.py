"""How well values fit a format, told from their histogram."""
