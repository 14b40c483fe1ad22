"""A search for the best parameters: its candidates, and whether one that says more is better beyond chance."""
