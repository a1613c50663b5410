"""Every way to cast a model, how the copy is run, and the audit of what the cast did."""
