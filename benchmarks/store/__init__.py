"""What the store asks of PostgreSQL, on millions of rows: time, plans, bytes."""
