"""Lock in PostgreSQL: an advisory lock of a session that exists for nothing else."""

from __future__ import annotations

import zlib
from contextlib import suppress

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from churn.store.database.engine import translated
from churn.store.locks.description import describe_holder

# First key of our advisory locks: an arbitrary number that nothing else in the database uses.
NAMESPACE = 4_287_002
# A host that is gone without a word is detected within a minute; until then its lock stays.
KEEPALIVE = {
    "tcp_keepalives_idle": "30",
    "tcp_keepalives_interval": "10",
    "tcp_keepalives_count": "3",
    "idle_session_timeout": "0",
}
# PostgreSQL cuts off a session's name after so many bytes.
MAX_NAME_LENGTH = 63


def lock_number(name: str) -> int:
    """Return the second key of the advisory lock of this name: PostgreSQL takes integers of 32 bits, of which this uses 31."""
    return zlib.crc32(name.encode()) & 0x7FFFFFFF


class PostgresLock:
    """Lock by name, held by a session whose `application_name` says who holds it."""

    def __init__(self, engine: sa.Engine, name: str, holder: str) -> None:
        self._engine = engine
        self._keys = {"namespace": NAMESPACE, "number": lock_number(name)}
        self._prefix = f"churn {name}: "
        self._session_name = f"{self._prefix}{holder}"[:MAX_NAME_LENGTH]
        self._session: sa.Connection | None = None

    def try_acquire(self) -> bool:
        """See `churn.store.locks.lock.Lock`."""
        with translated():
            if self._session is not None:
                try:
                    self._session.execute(sa.select(1))
                except SQLAlchemyError:
                    self.release()
                else:
                    return True
            session = self._open_session()
            query = sa.text("SELECT pg_try_advisory_lock(:namespace, :number)")
            if not session.execute(query, self._keys).scalar_one():
                session.close()
                return False
            self._session = session
            return True

    def holder(self) -> str:
        """See `churn.store.locks.lock.Lock`."""
        query = sa.text(
            "SELECT a.application_name, a.backend_start FROM pg_locks l JOIN pg_stat_activity a USING (pid) "
            "WHERE l.locktype = 'advisory' AND l.granted AND l.classid = :namespace AND l.objid = :number "
            "AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        )
        with translated(), self._engine.connect() as connection:
            found = connection.execute(query, self._keys).first()
        return "" if found is None else describe_holder(str(found[0]).removeprefix(self._prefix), found[1])

    def release(self) -> None:
        """See `churn.store.locks.lock.Lock`."""
        session, self._session = self._session, None
        if session is not None:
            # The server ends a closed session a moment later: whoever comes at once would still find the lock taken.
            with suppress(SQLAlchemyError):
                session.execute(sa.text("SELECT pg_advisory_unlock(:namespace, :number)"), self._keys)
            with suppress(SQLAlchemyError):
                session.close()

    def _open_session(self) -> sa.Connection:
        """Open a session outside the pool: when it is closed, its lock is gone."""
        session = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        session.detach()
        for name, value in {**KEEPALIVE, "application_name": self._session_name}.items():
            # Not every version has every setting, and a local socket has nothing to keep alive.
            with suppress(SQLAlchemyError):
                session.execute(sa.text("SELECT set_config(:name, :value, false)"), {"name": name, "value": value})
        return session
