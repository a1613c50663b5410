"""What happened to a model and its copies: facts that several claims rest on."""
