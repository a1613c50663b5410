"""What the ways to a format do, and where they differ."""
