"""What follows from a monitoring run."""
