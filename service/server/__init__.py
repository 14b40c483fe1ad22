"""Run uvicorn: workers, slow clients, coalesced writes, garbage collection and the container's health check."""
