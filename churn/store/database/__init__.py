"""Connect to SQLite or PostgreSQL: engines, timeouts, error translation, column types, and watermarks of growing tables.

Used by the other modules of `churn.store` and by backups; knows no table of the store.
"""
