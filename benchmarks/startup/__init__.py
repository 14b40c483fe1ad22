"""How long people and scripts wait: for a command's first line, for a list of models, for the whole system to be up."""
