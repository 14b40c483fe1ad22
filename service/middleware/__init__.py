"""Ordinary ASGI around the app: the gateway that every request passes, and the fast path for single predictions."""
