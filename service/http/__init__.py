"""HTTP as the routes need it: bodies and their limits, domain errors as problem documents, origins, rate limits, OpenAPI."""
