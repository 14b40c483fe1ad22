"""`churn model …`: the registered versions."""
