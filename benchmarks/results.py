"""The results of a run: kept as JSON, and shown as tables and a plot."""

from html import escape
from pathlib import Path

import msgspec
from msgspec import Struct

from benchmarks.measurement import Line, Report, Round, middle

HERE = Path(__file__).parent
KEPT, PLOT, README = "results/results.json", "results/budgets.svg", "README.md"
BEGIN, END = "<!-- results: made by `make bench` -->", "<!-- end of results -->"

_BAR, _WIDTH, _TEXT, _MOST, _SCALE = 26, 960, 600, 3, 110
_DIGITS = 3


class Results(Struct, frozen=True, kw_only=True):
    """Everything a run found, every round of it."""

    form: str
    """Whether it was the full form or the quick one."""
    machine: dict[str, str]
    reports: list[Report]


def read(folder: Path = HERE) -> Results:
    """Return the results that are kept."""
    return msgspec.json.decode((folder / KEPT).read_bytes(), type=Results)


def keep(results: Results, folder: Path = HERE) -> None:
    """Write the results down, draw their plot, and put their tables into the README."""
    (folder / "results").mkdir(exist_ok=True)
    text = msgspec.json.format(msgspec.json.encode(results), indent=1) + b"\n"
    (folder / KEPT).write_bytes(text)
    (folder / PLOT).write_text(draw(results), encoding="utf-8")
    page = (folder / README).read_text(encoding="utf-8")
    (folder / README).write_text(insert(page, results), encoding="utf-8")


def insert(page: str, results: Results) -> str:
    """Return a page with the tables of the results where it keeps them."""
    head, rest = page.split(BEGIN)
    return f"{head}{BEGIN}\n\n{show(results)}\n{END}{rest.split(END)[1]}"


def show(results: Results) -> str:
    """Return the results as Markdown."""
    about = {"form of the run": results.form, **results.machine}
    parts = ["### Machine", _table(["", ""], [[*pair] for pair in about.items()])]
    for report in results.reports:
        parts += [show_report(report)]
    return "\n\n".join(parts) + "\n"


def show_report(report: Report) -> str:
    """Return one report as Markdown: the budgets, then the median of each subject's rounds."""
    parts = [f"### {report.title}", *report.notes]
    parts.append(_table(["", "measured", "budget", ""], [_row(line) for line in report.lines]))
    shapes: dict[tuple[str, ...], dict[str, Round]] = {}
    for name, rounds in report.rounds.items():
        shapes.setdefault(tuple(rounds[0]), {})[name] = middle(rounds)
    for figures, subjects in shapes.items():
        rows = [[name, *(_number(found[f]) for f in figures)] for name, found in subjects.items()]
        parts.append(_table(["median of the rounds", *figures], rows))
    return "\n\n".join(parts)


def _row(line: Line) -> list[str]:
    score = line.score
    verdict = "" if score is None else "kept" if score >= 1 else "**missed**"
    return [line.what, f"{_number(line.value)} {line.unit}", line.budget, verdict]


def _number(value: float) -> str:
    """Return a figure with three significant digits, or all of a whole part."""
    if value >= 10**_DIGITS or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.{_DIGITS}g}"


def _table(head: list[str], rows: list[list[str]]) -> str:
    marks = ["---", *["---:" for _ in head[1:]]]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, marks, *rows))


def draw(results: Results) -> str:
    """Return an SVG with a bar for each budget: what reaches the line is kept."""
    lines = [line for report in results.reports for line in report.lines if line.score is not None]
    height = _BAR * (len(lines) + 2)
    mark = _TEXT + _SCALE
    bars = "\n".join(_bar(line, _BAR * (row + 1)) for row, line in enumerate(lines))
    return f"""\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" font-family="sans-serif">
<title>How far each budget is kept</title>
<rect width="{_WIDTH}" height="{height}" fill="#fff"/>
<g font-size="12">
{bars}
<path d="M{mark} {_BAR - 4}V{height - _BAR + 4}" stroke="#222"/>
<text x="{mark}" y="{_BAR - 9}" text-anchor="middle">budget</text>
<text x="{_TEXT}" y="{height - 9}">bars end at {_MOST} times the budget</text>
</g>
</svg>
"""


def _bar(line: Line, top: int) -> str:
    score = line.score or 0.0
    label = escape(f"{line.what}: {_number(line.value)} {line.unit} ({line.budget})")
    width, colour = _SCALE * min(score, _MOST), "#2f855a" if score >= 1 else "#c53030"
    return f"""\
<text x="{_TEXT - 8}" y="{top + 15}" text-anchor="end">{label}</text>
<rect x="{_TEXT}" y="{top + 3}" width="{width:.0f}" height="{_BAR - 8}" fill="{colour}"/>"""
