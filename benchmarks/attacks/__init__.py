"""Requests that are made to be expensive, and what they cost a running service."""
