"""Ordinary ASGI around FastAPI: the gateway that every request passes, and the fast path for single predictions.

Used by `service.app`, which puts one around the other.
"""
