"""How fast the service answers, beside the servers that people use for such a model today."""
