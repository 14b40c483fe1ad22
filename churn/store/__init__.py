"""Remember predictions, outcomes, monitoring runs, decisions and flow runs in SQLite or PostgreSQL, behind one facade.

Used by the service's prediction log, by the monitor and its exporter, by the flows and by `churn store`. Locks across hosts
and the migrations of the tables live here too.
"""
