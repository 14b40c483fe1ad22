"""A new store on SQLite is migrated once in a test run: that takes some 20 ms of a processor, a copy of what it makes one."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa


@contextmanager
def migrated_once(folder: Path, module: Any) -> Iterator[None]:
    """For the time of a `with` block, the first new SQLite file that `Store.open` is given is migrated; later ones are copies.

    Parameters
    ----------
    folder : Path
        Of this process alone.
    module : module
        `churn.store.store`. `churn.store.migrate` itself is left as it is.
    """
    migrate: Callable[[str], str] = module.migrate
    template = folder / "store-template.db"
    revisions: list[str] = []

    def copy_or_migrate(url: str) -> str:
        parsed = sa.make_url(url)
        file = Path(parsed.database or ":memory:")
        if parsed.get_backend_name() != "sqlite" or str(file) == ":memory:" or parsed.query or file.exists():
            return migrate(url)
        if not revisions:
            revisions.append(migrate(f"sqlite:///{template}"))
        taking_shape = file.with_name(f"{file.name}.{os.getpid()}")
        try:
            shutil.copyfile(template, taking_shape)
            # Fails where another has begun meanwhile.
            os.link(taking_shape, file)
        except OSError:
            return migrate(url)
        finally:
            taking_shape.unlink(missing_ok=True)
        return revisions[0]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "migrate", copy_or_migrate)
        yield
