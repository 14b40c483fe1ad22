"""The core that every part of the system shares. It knows nothing of HTTP, Prefect or Evidently."""
