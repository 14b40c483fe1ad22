"""`churn campaign …`: whom to call, who was called, and what it brought."""
