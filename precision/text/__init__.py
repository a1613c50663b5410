"""Units, names and definitions: how numbers and names are written, and what the terms mean."""
