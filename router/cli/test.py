"""`router test`: whether the rules do what their tests say."""

import sys
from collections.abc import Mapping
from pathlib import Path

import click
from msgspec.structs import replace

from router.cli.environment import fail, load_environment
from router.cli.junit import CaseResult, write_report
from router.cli.offline import read_ruleset
from router.cli.test_files import DEFAULT_TEST_FILE, find_suites, open_suite, read_suite
from router.core.simulate.assertions import check_expectations
from router.core.simulate.simulator import simulate
from router.registry import load_plugins


@click.command(name="test")
@click.argument("files", nargs=-1, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--junit",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File to write a JUnit report to.",
)
@click.option("--coverage", is_flag=True, help="List the rules that no test matches.")
def command(files: tuple[Path, ...], junit: Path | None, *, coverage: bool) -> None:
    """Run the tests in FILES (default: those in the rules and in rules.test.yaml beside them).

    Nothing is sent and no database is opened. Exit status: 0 if all tests pass, 1 if one fails or
    is invalid, 2 for wrong usage.
    """
    # Nothing is sent, so what the file takes from the environment need not be there.
    environment = replace(load_environment(), sandbox=True)
    registry = load_plugins(environment.plugins_dir)
    suites = [open_suite(path) for path in files] or find_suites(environment.rules)
    if not suites:
        fail(f"there are no tests: write {environment.rules.parent / DEFAULT_TEST_FILE}")
    results: list[CaseResult] = []
    unmatched: dict[Path, dict[str, str]] = {}
    for suite in suites:
        ruleset = read_ruleset(suite.rules, environment, registry)
        left = unmatched.setdefault(
            suite.rules, {rule.name: str(rule.place) for rule in ruleset.rules}
        )
        for case in read_suite(suite, ruleset):
            played = simulate(case, ruleset)
            for name in played.matched:
                left.pop(name, None)
            failures = tuple(check_expectations(case, played.sent))
            results.append(CaseResult(file=str(suite.path), case=case, failures=failures))
    for result in results:
        _show_result(result)
    if coverage:
        _show_coverage(unmatched)
    if junit is not None:
        junit.write_bytes(write_report(results))
    failed = sum(bool(result.failures) for result in results)
    click.echo(f"{len(results) - failed} passed, {failed} failed")
    sys.exit(1 if failed or not results else 0)


def _show_result(result: CaseResult) -> None:
    click.echo(f"{'✗' if result.failures else '✓'} {result.case.name}")
    for failure in result.failures:
        click.echo(f"    {failure.place}: {failure.message}")


def _show_coverage(unmatched: Mapping[Path, Mapping[str, str]]) -> None:
    for path, rules in unmatched.items():
        count = f"{len(rules)} rule{'' if len(rules) == 1 else 's'}"
        click.echo(f"{path}: {count} not matched by any test" if rules else f"{path}: all tested")
        for name, place in rules.items():
            click.echo(f"    {name}   {place}")
