"""What is done to find out: each file has the facts of one kind, and the judgements that rest on them."""
