"""What things cost here, as ratios taken side by side in one run."""
