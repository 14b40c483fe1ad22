"""The top layer: Prefect flows, their schedules and triggers, and the `churn` command."""
