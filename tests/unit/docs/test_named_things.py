"""What a page names exists: files, modules, settings, metrics, make targets, and `churn` commands with their options."""

from __future__ import annotations

import importlib.util
import re
import shlex

from churn.config.settings import Settings
from tests.checkout import CHECKOUT
from tests.unit.deploy.commands import assert_is_churn_command, churn
from tests.unit.docs.pages import code_lines, in_backticks, markdown_pages, read

PAGES = markdown_pages()
# Files of the repository: a path, perhaps with `*`, that ends in one of these, or in / for a folder.
PATH = re.compile(r"^(?:[\w.*-]+/)*[\w.*-]+\.(?:py|yaml|yml|toml|j2|sh|cfg|sql|md|dvc|lock|env)(?=$|::)|^(?:[\w.-]+/)+$")
# Folders that are made at run time, and a file that an operator writes.
MADE = ("build/", "data/", "secrets/", ".churn/", ".peers/", "compose.override.yaml")
# Variables that are not settings of the programs: of Compose, of who asks a service, and of the tests.
OTHER_VARIABLES = {"bind", "api_key", "test_drawn"}
# Names that begin like a metric: a field of an answer.
OTHER_NAMES = {"churn_probability"}


def test_every_file_named_in_backticks_exists() -> None:
    for page in PAGES:
        for word in " ".join(in_backticks(page)).split():
            if (named := PATH.match(word)) and not named[0].startswith(MADE):
                found = [*CHECKOUT.glob(named[0]), *(CHECKOUT / page).parent.glob(named[0])]
                assert found, f"{page}: there is no {named[0]}; name it by its path from the checkout"


def test_every_module_that_is_run_exists() -> None:
    for page in PAGES:
        for name in re.findall(r"python3? -m ([\w.]+)", read(page)):
            assert importlib.util.find_spec(name), f"{page}: there is no module {name}"


def test_every_churn_command_is_one() -> None:
    for line in (line for page in PAGES for line in code_lines(page)):
        if command := re.match(r"(?:\w+=\S+ )*(?:\.venv/bin/)?churn ((?!--help).+)", line):
            assert_is_churn_command(["churn", *shlex.split(command[1], comments=True)])


def test_every_setting_is_one() -> None:
    settings = set(Settings.model_fields) | OTHER_VARIABLES
    for page in PAGES:
        for name in re.findall(r"\bCHURN_([A-Z_]+[A-Z])\b", read(page)):
            assert name.removesuffix("_FILE").lower() in settings, f"{page}: there is no setting {name}"


def test_every_make_target_is_one() -> None:
    targets = set(re.findall(r"^([a-z0-9]+):", read("Makefile"), flags=re.MULTILINE))
    for page in PAGES:
        for words in [*in_backticks(page), *code_lines(page)]:
            if command := re.match(r"make ((?:[a-z0-9]+ ?)+)(?=$| +#)", words):
                assert set(command[1].split()) <= targets, f"{page}: {words}"


def test_the_gates_reasons_are_quoted_as_it_says_them() -> None:
    table = read("docs/command-line.md").split("| the reason says |")[1].split("\n\n")[0]
    firsts = [line.split("|")[1] for line in table.splitlines()[2:]]
    quoted = [part.strip() for first in firsts for words in re.findall(r"`(.+?)`", first) for part in words.split("…")]
    said = "".join(file.read_text() for file in (CHECKOUT / "churn/lifecycle").glob("*.py"))
    assert len(quoted) >= len(firsts) > 0
    assert [words for words in quoted if words not in said] == []


def test_every_command_and_option_named_in_a_sentence_exists() -> None:
    for page in PAGES:
        for words in in_backticks(page):
            if not re.match(r"churn [a-z-]", words):
                continue
            command, rest = churn(), words.split()[1:]
            while hasattr(command, "commands") and rest:
                assert rest[0] in command.commands or rest[0] == "--help", f"{page}: there is no command `{words}`"
                command, rest = command.commands.get(rest[0], command), rest[1:]
            known = {option for parameter in command.params for option in parameter.opts} | {"--help"}
            named = {word for word in rest if word.startswith("--")}
            assert named <= known, f"{page}: `{words}` has no {named - known}"


def test_every_metric_is_one() -> None:
    metrics = set(re.findall(r"`(churn_\w+)`", read("docs/metrics.md")))
    for page in PAGES:
        for name in re.findall(r"\bchurn_[a-z0-9_]+[a-z0-9](?![\w…])", " ".join(in_backticks(page))):
            assert re.sub("_(bucket|sum|count)$", "", name) in metrics | OTHER_NAMES, f"{page}: there is no metric {name}"
