"""Input regimes: the same model on its input scaled, with an outlier channel, or random; and where overflow starts."""
