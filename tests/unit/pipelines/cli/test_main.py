"""The command as a person or a script meets it: its help, its exit codes, and where it prints."""

from __future__ import annotations

import errno
import io
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import typer

from pipelines.cli import entry, main
from tests.unit.pipelines.cli.command import Churn, assert_one_line


def commands() -> list[tuple[str, ...]]:
    def below(command: click.Command, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
        if isinstance(command, click.Group) or hasattr(command, "commands"):
            for name, inner in command.commands.items():
                yield from below(inner, (*path, name))
        elif not command.hidden:
            yield path

    return list(below(typer.main.get_command(main.app), ()))


def groups() -> list[tuple[str, ...]]:
    return sorted({path[:length] for path in commands() for length in range(len(path))})


@pytest.mark.parametrize("group", groups(), ids=lambda path: " ".join(("churn", *path)))
def test_a_noun_alone_lists_what_can_be_done_with_it(churn: Churn, group: tuple[str, ...]) -> None:
    said = churn(*group)
    assert said.code == 2
    assert "says more" not in said.err, "it has just said it"
    assert "Traceback" not in said.err
    for path in commands():
        if path[: len(group)] == group and len(path) == len(group) + 1:
            assert f" {path[-1]} " in said.out + said.err, path


def test_the_commands_are_those_of_the_design() -> None:
    assert {" ".join(path) for path in commands()} >= {
        *("data pull", "data simulate", "data validate", "data describe", "train", "serve", "monitor"),
        *(
            "model list",
            "model show",
            "model card",
            "model history",
            "model promote",
            "model rollback",
            "model challenge",
            "drift",
            "evaluate",
            "traffic",
            "up",
            "demo",
        ),
    }


@pytest.mark.parametrize("command", commands(), ids=" ".join)
def test_every_command_explains_itself_with_an_example(churn: Churn, command: tuple[str, ...]) -> None:
    said = churn(*command, "--help")
    assert said.code == 0
    example = next((line for line in said.out.splitlines() if "Example: " in line), "")
    assert f"churn {' '.join(command)}" in example


def test_the_lines_of_a_help_text_are_broken_by_the_terminal_alone() -> None:
    everything = typer.main.get_command(main.app)
    for path in commands():
        command: Any = everything
        for name in path:
            command = command.commands[name]
        assert not [text for text in command.help.split("\n\n") if "\n" in text], path


def test_no_command_at_all_shows_what_there_is(churn: Churn) -> None:
    said = churn()
    assert "validate" not in said.out
    for word in ("data", "train", "serve", "monitor", "model", "drift", "up", "demo"):
        assert word in said.out + said.err


@pytest.mark.parametrize(
    "arguments", [("fly",), ("data", "validate"), ("data", "validate", "x.csv", "--loud"), ("serve", "--workers", "0")]
)
def test_a_command_that_is_misspelled_exits_2(churn: Churn, arguments: tuple[str, ...]) -> None:
    said = churn(*arguments)
    assert said.code == 2
    assert said.out == ""
    assert "Traceback" not in said.err


def test_it_runs_as_a_program_of_its_own(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pipelines.cli.main", "data", "validate", tmp_path / "nothing.csv"],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("churn: ")
    assert "nothing.csv" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("name", "value"), [("CHURN_PORT", "many"), ("CHURN_FALSE_ALARM_RATE", "2"), ("CHURN_CONTRACT", "no-such-contract")]
)
def test_a_wrong_setting_is_one_line_that_names_it(churn: Churn, customers: Path, name: str, value: str) -> None:
    os.environ[name] = value
    assert_one_line(churn("data", "validate", customers), 2, value)


def test_a_registry_that_is_away_is_one_line_and_exit_1(churn: Churn, customers: Path) -> None:
    os.environ["CHURN_TRACKING_URI"] = "http://127.0.0.1:1"
    for command in (
        *(("model", "list"), ("model", "show"), ("model", "card"), ("evaluate", customers)),
        *(("model", "rollback", "--reason", "x"), ("model", "promote", "2", "--reason", "x")),
    ):
        assert_one_line(churn(*command), 1, "127.0.0.1:1", "did not answer")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "/srv/a.db"), "/srv/a.db: No space left on device"),
        (PermissionError(errno.EACCES, "Permission denied", "/srv/b"), "/srv/b: Permission denied"),
        (OSError(errno.EMFILE, "Too many open files"), "Too many open files"),
    ],
)
def test_what_the_machine_refuses_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: OSError, said: str
) -> None:
    def refused() -> None:
        raise error

    monkeypatch.setattr(main, "app", refused)
    with pytest.raises(SystemExit) as ended:
        main.main()
    assert (ended.value.code, capsys.readouterr().err) == (1, f"churn: {said}\n")


def test_ctrl_c_is_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    app = typer.Typer(pretty_exceptions_enable=False)

    @app.command()
    def command() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(main, "app", lambda: app(args=[]))
    with pytest.raises(SystemExit) as ended:
        main.main()
    assert (ended.value.code, capsys.readouterr().err) == (130, "churn: stopped before it was finished\n")


def test_ctrl_c_while_the_commands_are_read_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Interrupted:
        def __getattr__(self, name: str) -> object:
            raise KeyboardInterrupt

    monkeypatch.setitem(sys.modules, "pipelines.cli.main", Interrupted())
    with pytest.raises(SystemExit) as ended:
        entry.main()
    assert (ended.value.code, capsys.readouterr().err) == (130, "churn: stopped before it was finished\n")


@pytest.fixture
def default_handlers() -> Iterator[None]:
    before = {number: signal.signal(number, signal.SIG_DFL) for number in (signal.SIGTERM, signal.SIGHUP)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("default_handlers")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_kill_and_a_closed_terminal_stop_as_ctrl_c_does(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], number: signal.Signals
) -> None:
    taken_down = []

    class Stopped:
        def main(self) -> None:
            try:
                signal.raise_signal(number)
            finally:
                taken_down.append(number)

    monkeypatch.setitem(sys.modules, "pipelines.cli.main", Stopped())
    with pytest.raises(SystemExit) as ended:
        entry.main()
    assert (ended.value.code, capsys.readouterr().err) == (130, "churn: stopped before it was finished\n")
    assert taken_down


@pytest.mark.usefixtures("default_handlers")
def test_what_a_locale_cannot_say_and_a_closed_output_are_no_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    class Printed:
        def main(self) -> None:
            sys.stdout.write("Jürgen • 5 €\n")

    written = io.BytesIO()
    monkeypatch.setitem(sys.modules, "pipelines.cli.main", Printed())
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding="latin-1", write_through=True))
    entry.main()
    assert written.getvalue() == "Jürgen \\u2022 5 \\u20ac\n".encode("latin-1")
    monkeypatch.setattr(sys, "stdout", None)
    entry.main()
    sys.stdout.close()


def test_an_argument_that_is_no_utf_8_is_one_line(churn: Churn) -> None:
    os.environ["CHURN_STORE_URL"] = "sqlite:///store.db"
    assert_one_line(churn("campaign", "report", "m\udce4rz"), 2, r"no text in UTF-8: it holds b'\xe4'")


@pytest.mark.usefixtures("default_handlers")
def test_what_nohup_ignores_stays_ignored() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    entry.stop_as_by_ctrl_c()
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    signal.raise_signal(signal.SIGHUP)


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (("nonsense",), "No such command 'nonsense'; `churn --help` says more"),
        (("--nope",), "No such option: --nope"),
        (("score", "--nope", "a", "b"), "No such option: --nope"),
        (("score", "a"), "Missing argument 'OUTPUT'; `churn score --help` says more"),
        (("score", "a", "b", "c"), "unexpected extra argument"),
        (("score", "a", "b", "--threads", "0"), "Invalid value for '--threads'"),
        (("campaign", "plan", "a", "b", "--name", "n", "--budget", "x"), "`churn campaign plan --help` says more"),
        *(
            (("campaign", "plan", "a", "b", "--name", "n", "--budget", no), "for '--budget'")
            for no in ("inf", "1e400", "nan", "-1")
        ),
        (("data", "nonsense"), "No such command 'nonsense'; `churn data --help` says more"),
    ],
)
def test_a_wrong_option_is_one_line(churn: Churn, command: tuple[str, ...], said: str) -> None:
    assert_one_line(churn(*command), 2, said)


@pytest.mark.parametrize("command", [("data", "validate"), ("data", "describe"), ("drift",)])
def test_a_name_that_no_file_can_have_is_one_line(churn: Churn, command: tuple[str, ...], customers: Path) -> None:
    given = (customers,) if command == ("drift",) else ()
    said = churn(*command, *given, "a" * 300)
    assert said.code == 2
    assert "File name too long" in said.err + said.out


def test_an_error_of_ours_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong() -> None:
        raise FileNotFoundError(errno.ENOENT, "No such file or directory", "x")

    monkeypatch.setattr(main, "app", wrong)
    with pytest.raises(FileNotFoundError):
        main.main()


HUGE = "9" * 30


@pytest.mark.parametrize(
    ("arguments", "option"),
    [
        (("store", "prune", "--keep-days", HUGE), "--keep-days"),
        (("store", "migrate", "--wait", HUGE), "--wait"),
        (("model", "history", "--limit", HUGE), "--limit"),
        (("model", "diff", "1", "2", "--top", HUGE), "--top"),
        (("campaign", "plan", "a.csv", "b.csv", "--name", "x", "--top", HUGE), "--top"),
        (("data", "simulate", "x.csv", "--customers", HUGE), "--customers"),
        (("traffic", "--customers", HUGE), "--customers"),
        (("score", "a.csv", "b.csv", "--threads", HUGE), "--threads"),
        (("serve", "--workers", HUGE), "--workers"),
        (("serve", "--workers", "1000"), "--workers"),
    ],
)
def test_a_number_beyond_all_bounds_is_an_error_of_its_option(churn: Churn, arguments: tuple[str, ...], option: str) -> None:
    said = churn(*arguments)
    assert said.code == 2
    assert f"Invalid value for '{option}'" in said.err
