"""Every way to cast a model to one format, and what each does to it."""
