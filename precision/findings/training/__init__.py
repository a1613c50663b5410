"""What one training step in a format showed."""
