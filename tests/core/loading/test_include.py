"""Files that `include` takes in: each by itself, by its last good text if it is bad."""

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from router.core.errors import Problem
from router.core.loading import (
    LAST_GOOD_SUFFIX,
    IncludeSource,
    LoadResult,
    hash_texts,
    load,
    render_excerpt,
)
from router.core.loading.yaml_document import split_lines
from router.core.rules.ruleset import Ruleset
from router.core.simulate.explain import explain
from tests.core.loading.test_load import FOLDER
from tests.core.notifications import NOON, push
from tests.core.plugin_schemas import PLUGINS, load_text, resolve
from tests.core.rulesets import ANN, decided, world

GOOD = sorted(path.parent for path in (FOLDER / "good").glob("*/rules.yaml"))
BAD = sorted(path.parent for path in (FOLDER / "bad").glob("*/rules.yaml"))
MAIN = """version: 1
channels: {room: {plugin: slack, url: "${env:SLACK_URL}"}, app: {plugin: push}}
include: ["*.yaml"]
rules: [{name: end, stop: true, send: [room]}, {name: never, send: [room]}]
"""
A = "owner: a\nrules: [{name: one, send: [room]}, {name: two, send: [app]}]\n"
B = "owner: b\nwhen: {kind: call}\nrules: [{name: one, send: [app]}]\n"


def load_files(
    files: Mapping[str, str], main: str = MAIN, kept: Mapping[str, str] | None = None
) -> LoadResult:
    """Load a main text with files beside it, whatever its patterns; in some order of patterns."""
    sources = [IncludeSource(file=file, text=text) for file, text in sorted(files.items())]
    return load(
        main,
        file="rules.yaml",
        plugins=PLUGINS,
        resolve=resolve,
        sources=lambda _: sources,
        kept=kept,
    )


def load_folder(folder: Path) -> LoadResult:
    def find(pattern: str) -> list[IncludeSource]:
        return [
            IncludeSource(file=str(path.relative_to(folder)), text=path.read_text("utf-8"))
            for path in sorted(folder.glob(pattern))
        ]

    text = (folder / "rules.yaml").read_text("utf-8")
    return load(text, file="rules.yaml", plugins=PLUGINS, resolve=resolve, sources=find)


def expected(folder: Path) -> list[str]:
    lines = (folder / "rules.yaml").read_text("utf-8").splitlines()
    announced = (line.removeprefix("# ") for line in lines if line.startswith("# "))
    return [line for line in announced if re.match(r"[\w/]+\.yaml:", line)]


def ruleset_of(loaded: LoadResult) -> Ruleset:
    assert loaded.ruleset is not None, loaded.problems
    return loaded.ruleset


@pytest.mark.parametrize("folder", [*GOOD, *BAD], ids=lambda folder: folder.name)
def test_every_problem_of_several_files_is_told_at_its_place(folder: Path) -> None:
    loaded = load_folder(folder)
    assert [str(problem) for problem in loaded.problems] == expected(folder)
    assert loaded.is_whole is (folder in GOOD)
    for problem in loaded.problems:
        picture_of_line, _ = render_excerpt(
            problem, split_lines(loaded.texts[problem.file])
        ).splitlines()
        assert picture_of_line.startswith(f"{problem.line:>5} | ")


def test_rules_of_an_included_file_bear_its_owner_and_its_condition() -> None:
    ruleset = ruleset_of(load_folder(FOLDER / "good" / "include"))
    assert [rule.name for rule in ruleset.rules] == [
        *("noise", "vip", "billing/money", "support/bots", "support/vip"),
    ]
    assert {rule.name: rule.place.file for rule in ruleset.rules}["support/vip"] == (
        "teams/support.yaml"
    )
    assert list(ruleset.channels) == ["room", "ledger"]
    decision = decided(push(receiver="support", sender="uid-1"), ruleset)
    assert decision.matched == ("vip", "support/vip")


def test_enrich_of_an_included_file_holds_for_its_rules_alone() -> None:
    ruleset = ruleset_of(load_folder(FOLDER / "good" / "include"))
    vip = push(receiver="support", sender="uid-1", title="Hi", body="help, an invoice")
    main, billing = explain(vip, ruleset, world(ANN), NOON).deliveries
    assert (main.rule, main.title) == ("vip", "Hi")
    assert (billing.rule, billing.title) == ("billing/money", "Hi")
    other = push(receiver="support", sender="uid-9", title="Hi", body="help")
    (support,) = explain(other, ruleset, world(ANN), NOON).deliveries
    assert (support.rule, support.title, support.body) == ("support/vip", "Hi", "Support: help")
    quiet = "rules: [{name: none, when: {type: call}, drop: true}]"
    main_text = MAIN.replace(MAIN.splitlines()[-1], quiet)
    entry = 'enrich: [{when: {sender: uid-1}, title: "VIP {{ title }}"}]\n'
    alone = ruleset_of(load_files({"a.yaml": A + entry}, main_text))
    assert {d.title for d in explain(vip, alone, world(ANN), NOON).deliveries} == {"VIP Hi"}
    assert {d.title for d in explain(other, alone, world(ANN), NOON).deliveries} == {"Hi"}


def test_the_walk_over_one_file_ends_and_the_others_go_on_without_a_second_delivery() -> None:
    ruleset = ruleset_of(load_files({"a.yaml": A}))
    decision = decided(push(), ruleset)
    assert decision.matched == ("end", "a/one", "a/two")
    assert {planned.channel for planned in decision.deliveries} == {"room", "app"}
    (twice,) = decision.duplicates
    assert (twice.rule, twice.stands) == ("a/one", "end")
    trace = explain(push(), ruleset, world(ANN), NOON)
    assert [(rule.name, rule.reached) for rule in trace.rules] == [
        *(("end", True), ("never", False), ("a/one", True), ("a/two", True)),
    ]


def test_rules_of_two_files_for_one_channel_are_told() -> None:
    problems = load_files({"a.yaml": A}).problems
    assert 'rule "end" in line 4 of rules.yaml sends to room as well' in "\n".join(
        map(str, problems)
    )


def test_a_bad_file_leaves_its_last_good_text_in_force_and_the_others_as_they_are() -> None:
    first = load_files({"a.yaml": A, "b.yaml": B})
    assert first.is_whole
    kept = {file.file: file.text for file in first.included}
    bad, renewed = A.replace("app", "apq"), B.replace("one", "new")
    loaded = load_files({"a.yaml": bad, "b.yaml": renewed}, kept=kept)
    names = [rule.name for rule in ruleset_of(loaded).rules]
    assert names == ["end", "never", "a/one", "a/two", "b/new"]
    assert [(file.file, file.standing, file.owner) for file in loaded.included] == [
        *(("a.yaml", "last good", "a"), ("b.yaml", "current", "b")),
    ]
    assert not loaded.is_whole
    assert ruleset_of(loaded).rules[2].place.file == f"a.yaml{LAST_GOOD_SUFFIX}"
    assert [problem.file for problem in loaded.problems if problem.severity == "error"] == [
        "a.yaml"
    ]
    assert ruleset_of(loaded).version == hash_texts(MAIN, A, renewed)


def test_without_a_last_good_text_a_bad_file_is_left_out() -> None:
    bad = A.replace("app", "apq")
    for kept in ({}, {"a.yaml": bad}):
        loaded = load_files({"a.yaml": bad, "b.yaml": B}, kept=kept)
        assert [rule.name for rule in ruleset_of(loaded).rules] == ["end", "never", "b/one"]
        assert [file.standing for file in loaded.included] == ["left out", "current"]


def test_a_file_that_cannot_be_read_says_so_and_a_bad_main_file_refuses_all() -> None:
    fault = Problem(file="a.yaml", line=1, column=1, message="cannot be read: it is locked")
    source = IncludeSource(file="a.yaml", fault=fault)
    loaded = load(
        MAIN.replace("send: [room]}]", "send: [roon]}]"),
        file="rules.yaml",
        plugins=PLUGINS,
        resolve=resolve,
        sources=lambda _: [source],
    )
    assert loaded.ruleset is None
    assert [str(problem) for problem in loaded.problems][-1] == (
        "a.yaml:1:1: error: cannot be read: it is locked"
    )


def test_more_files_than_can_be_meant_are_an_error() -> None:
    files = {f"{n:03}.yaml": f"owner: o{n}\nrules: [{{name: r, stop: true}}]\n" for n in range(201)}
    loaded = load_files(files)
    assert loaded.ruleset is None
    assert "more than 200 files are included" in str(loaded.problems[0])


def test_secrets_of_an_included_file_are_hidden_in_its_text() -> None:
    text = 'channels: {text: {plugin: sms, url: "twilio://hunter2"}}\n' + A
    loaded = load_files({"a.yaml": text})
    assert "hunter2" not in loaded.texts["a.yaml"]
    (file,) = loaded.included
    assert file.secrets == ("twilio://hunter2",)
    assert "hunter2" not in file.hidden


def test_where_there_are_no_files_but_the_one_nothing_is_included() -> None:
    assert "no file matches *.yaml" in [problem.message for problem in load_text(MAIN).problems]


def test_the_version_is_that_of_all_texts() -> None:
    one, other = (ruleset_of(load_files({"a.yaml": text})) for text in (A, A + "# more\n"))
    assert one.version == hash_texts(MAIN, A) != other.version
