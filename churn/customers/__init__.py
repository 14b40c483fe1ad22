"""Define a valid customer: one set of rules, and the readers that ask it (JSON, CSV, Arrow, data frames).

The service, batch scoring, the drift command and the training data all judge a customer here, so that a customer has the
same verdict and the same value whichever way it comes in.
"""
