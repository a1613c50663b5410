"""What autocast does to operators: measured one by one on a device, and in a model's own run."""
