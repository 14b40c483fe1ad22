"""Versions and their aliases, in a real MLflow. (Artifacts and promotions with their records: tests/integration.)"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from churn.errors import NoModel, RegistryError
from churn.registry.aliases import Registered
from churn.registry.client import Client
from churn.registry.connect import registry_reader
from churn.registry.versions import MAX_TAG_LENGTH, Versions


@pytest.fixture
def versions(registered: Client) -> Versions:
    return Versions(registered)


def test_before_anything_is_registered_there_is_nothing_and_the_way_out_is_named(client: Client) -> None:
    versions = Versions(client)
    assert (versions.versions(), versions.aliases(), versions.of_training("t1")) == ([], {}, None)
    assert (versions.end_challenge(), versions.rolled_back_version()) == (None, None)
    for find in (versions.champion_version, versions.previous_version):
        with pytest.raises(NoModel, match=r"there is no (champion: train one with churn train, or promote|previous)") as caught:
            find()
        assert caught.value.exit_code == 1, "nobody named it"
    with pytest.raises(NoModel, match="no version '1'"):
        versions.find("1")


def test_a_version_is_found_by_its_number_and_by_what_it_is_called(versions: Versions) -> None:
    versions.promote("2")
    assert [versions.version(one) for one in ("2", "champion")] == ["2", "2"]
    assert versions.registered("champion") == Registered("2", "r2", "d2")
    assert versions.identity("champion") == "r2"
    assert versions.tags_of("3") == {"training": "t3", "artifact_digest": "d3"}
    for missing in ("4", "challenger", "0", "02", "²", "9" * 30):
        with pytest.raises(NoModel, match=f"'{missing}'") as caught:
            versions.registered(missing)
        assert caught.value.exit_code == 2, "a wrong name is wrong input"


def test_versions_are_listed_newest_first_with_their_aliases(versions: Versions) -> None:
    versions.promote("2")
    versions.challenge("3")
    assert [(one.version, one.aliases) for one in versions.versions()] == [("3", ["challenger"]), ("2", ["champion"]), ("1", [])]
    assert versions.versions()[2].tags == {"training": "t1", "artifact_digest": "d1"}
    assert versions.of_training("t2") == "2"
    assert versions.of_training("t4") is None


def test_the_file_s_own_reader_says_what_mlflow_says(versions: Versions, registered: Client) -> None:
    versions.promote("1")
    versions.promote("2", rolling_back=True)
    registered.mlflow.delete_model_version(registered.name, "3")
    reader = registry_reader(registered.settings)
    assert type(reader).__name__ == "SqliteReader"
    assert (reader.versions(), reader.aliases()) == (versions.versions(), versions.aliases())
    assert reader.registered("2") == versions.registered("2")
    with pytest.raises(NoModel):
        reader.registered("3")


def test_the_champion_before_is_the_previous_one(versions: Versions) -> None:
    assert versions.promote("1") is None
    assert versions.aliases() == {"champion": "1"}
    with pytest.raises(NoModel, match="no previous champion of model 'churn' to go back to"):
        versions.previous_version()
    assert versions.promote("2") == "1"
    assert (versions.champion_version(), versions.previous_version()) == ("2", "1")
    # The one that serves already: nothing moves.
    assert versions.promote("2") == "2"
    assert versions.aliases() == {"champion": "2", "previous": "1"}


def test_a_rollback_names_the_version_that_was_left_until_the_champion_changes_otherwise(versions: Versions) -> None:
    versions.promote("1")
    versions.promote("2")
    assert versions.promote("1", rolling_back=True) == "2"
    assert versions.aliases() == {"champion": "1", "previous": "2", "rolled-back": "2"}
    assert versions.rolled_back_version() == "2"
    versions.promote("3")
    assert versions.aliases() == {"champion": "3", "previous": "1"}
    assert versions.rolled_back_version() is None


def test_a_challenger_that_is_promoted_challenges_no_more_and_another_goes_on(versions: Versions) -> None:
    versions.promote("1")
    assert versions.challenge("2") == "2"
    versions.promote("3")
    assert versions.aliases()["challenger"] == "2"
    versions.promote("2")
    assert "challenger" not in versions.aliases()
    versions.challenge("3")
    assert versions.end_challenge() == "3"
    assert "challenger" not in versions.aliases()


def test_tags_are_kept_before_the_alias_moves_cut_where_mlflow_would_refuse_them(versions: Versions) -> None:
    versions.promote("1", tags={"reason": "x" * (MAX_TAG_LENGTH + 1), "by": "ada"})
    tags = versions.tags_of("1")
    assert (len(tags["reason"]), tags["by"], tags["training"]) == (MAX_TAG_LENGTH, "ada", "t1")


def test_what_has_no_such_version_is_not_promoted(versions: Versions) -> None:
    versions.promote("1")
    for move in (versions.promote, versions.challenge):
        with pytest.raises(NoModel):
            move("9")
    assert versions.aliases() == {"champion": "1"}


@pytest.mark.parametrize(
    ("previous", "rolled_back", "left"),
    [
        (None, None, {"champion": "1"}),
        ("3", None, {"champion": "1", "previous": "3"}),
        (None, "3", {"champion": "1", "rolled-back": "3"}),
        ("2", "3", {"champion": "1", "previous": "2", "rolled-back": "3"}),
    ],
)
def test_a_promotion_that_broke_off_is_put_back(
    previous: str | None, rolled_back: str | None, left: dict[str, str], versions: Versions
) -> None:
    versions.promote("1")
    versions.promote("2")
    versions.promote("1", rolling_back=True)
    versions.restore(previous, rolled_back)
    assert versions.aliases() == left


QUESTIONS: list[Callable[[Versions], object]] = [
    lambda versions: versions.find("1"),
    lambda versions: versions.find("champion"),
    Versions.versions,
    Versions.aliases,
    Versions.end_challenge,
    lambda versions: versions.challenge("2"),
    lambda versions: versions.promote("2"),
    lambda versions: versions.restore("1", None),
]


@pytest.mark.parametrize("ask", QUESTIONS)
def test_a_registry_whose_tables_are_gone_is_away_and_not_empty(ask: Callable[[Versions], object], versions: Versions) -> None:
    import sqlite3
    from contextlib import closing

    file = Path(versions._client.uri.removeprefix("sqlite:///"))
    with closing(sqlite3.connect(file)) as database, database:
        for table in ("model_versions", "registered_models", "registered_model_aliases"):
            database.execute(f"ALTER TABLE {table} RENAME TO gone_{table}")
    with pytest.raises(RegistryError, match="did not answer") as caught:
        ask(versions)
    assert not isinstance(caught.value, NoModel)
