"""The page for people at /: a form made from the contract, the answer with its reasons, the model in service, and links."""
