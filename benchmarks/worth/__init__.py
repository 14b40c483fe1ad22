"""What it is worth: each column, a better offline score, a younger model."""
