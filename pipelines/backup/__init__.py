"""Back up and restore the whole state, SQLite or PostgreSQL, while it is in use.

Used by `churn backup` and `churn restore`.
"""
