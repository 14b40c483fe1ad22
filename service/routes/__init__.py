"""The HTTP routes, one module per subject: they read requests, call the use cases, and write responses.

Used by `service.app`, which includes each router.
"""
