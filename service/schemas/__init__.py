"""The shapes of requests and answers, for the native routes and for the protocols of others."""
