"""Two models run side by side, meeting after every module call."""
