"""The tables and the plot of the README are those of the results file."""

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from benchmarks.measurement import Line, Report
from benchmarks.results import (
    BEGIN,
    END,
    HERE,
    PLOT,
    README,
    Results,
    draw,
    insert,
    keep,
    read,
    show,
)
from benchmarks.suite import BENCHMARKS


def results(*lines: Line) -> Results:
    report = Report(name="a", title="A", lines=list(lines), rounds={"it": [{"µs": 1.5}]})
    return Results(form="least", machine={"cores": "2"}, reports=[report])


def test_the_readme_and_the_plot_show_the_results_that_are_kept() -> None:
    kept = read()
    page = (HERE / README).read_text(encoding="utf-8")
    assert insert(page, kept) == page
    assert (HERE / PLOT).read_text(encoding="utf-8") == draw(kept)


def test_the_results_that_are_kept_are_of_every_benchmark() -> None:
    assert [report.name for report in read().reports] == [*BENCHMARKS]


def test_results_that_are_kept_replace_those_before(tmp_path: Path) -> None:
    (tmp_path / README).write_text(f"before\n{BEGIN}\n{END}\nafter\n", encoding="utf-8")
    for value in (1.0, 2.0):
        new = results(Line(what="w", value=value, unit="MiB"))
        keep(new, tmp_path)
        page = (tmp_path / README).read_text(encoding="utf-8")
        assert page == f"before\n{BEGIN}\n\n{show(new)}\n{END}\nafter\n"
        assert read(tmp_path) == new


@pytest.mark.parametrize(
    ("line", "verdict"),
    [
        (Line(what="w", value=1.5, unit="×", at_least=1.5), "kept"),
        (Line(what="w", value=1.49, unit="×", at_least=1.5), "**missed**"),
        (Line(what="w", value=650, unit="µs", at_most=650), "kept"),
        (Line(what="w", value=651, unit="µs", at_most=650), "**missed**"),
        (Line(what="w", value=0, unit="requests", at_most=0), "kept"),
        (Line(what="w", value=1, unit="requests", at_most=0), "**missed**"),
        (Line(what="w", value=1, unit="MiB"), ""),
    ],
)
def test_a_budget_is_kept_or_missed(line: Line, verdict: str) -> None:
    row = next(row for row in show(results(line)).splitlines() if row.startswith("| w |"))
    assert row.rpartition(" | ")[2] == f"{verdict} |"


def test_the_plot_is_an_image_with_a_bar_for_each_budget() -> None:
    lines = [
        Line(what="more & more", value=1, unit="×", at_least=2),
        Line(what="none", value=0, unit="requests", at_most=0),
        Line(what="told only", value=1, unit="MiB"),
    ]
    root = ET.fromstring(draw(results(*lines)))  # noqa: S314 - drawn by ourselves
    bars = root.findall(".//{*}g/{*}rect")
    assert [bar.get("width") for bar in bars] == ["55", "330"]
