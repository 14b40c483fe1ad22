"""A small gradient boosting whose sum is one more column of the linear model."""
