"""The core that every part of the system shares. It knows nothing of HTTP, Prefect or Evidently."""

# The project's name on the package index; the import and the command are `churn`.
DISTRIBUTION = "churn-loop"
