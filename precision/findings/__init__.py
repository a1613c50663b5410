"""What stored numbers mean: verdicts, judgement and words over results. Computes nothing from a model."""
