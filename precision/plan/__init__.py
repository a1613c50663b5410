"""Mixed-precision plans: a format for each layer, chosen from its sensitivity under a budget."""
