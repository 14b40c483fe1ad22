"""The page for people at `/`: a form made from the contract, the prediction with its reasons, the model in service, and links.

Used by the route of `/`.
"""
