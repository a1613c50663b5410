"""How much every layer adds to a model's error in every format."""
