"""Two outputs of any structure compared: flattened, streamed in chunks, reduced to statistics and bins."""
