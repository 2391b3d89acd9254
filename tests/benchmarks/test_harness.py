"""The benchmarks run, in their least form, and find what they look for; times do not matter."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmarks import accept
from benchmarks.measurement import LEAST, Report
from benchmarks.suite import BENCHMARKS
from tests import ROOT
from tests.acceptance.router_process import PATIENCE

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="they read /proc")


async def measured(name: str, folder: Path) -> Report:
    report = await BENCHMARKS[name](LEAST, folder, lambda _: None)
    assert report.name == name
    assert report.lines
    assert all(line.value > 0 for line in report.lines if line.at_most != 0 and line.budget)
    for subject, rounds in report.rounds.items():
        for figures in rounds:
            assert figures.get("refused", 0) == 0, subject
    return report


async def test_accept_measures_every_subject_and_says_which_is_missing(tmp_path: Path) -> None:
    report = await measured("accept", tmp_path)
    assert {accept.ROUTER, accept.SENDING, accept.LITESTAR, accept.SKELETON} <= {*report.rounds}
    has_express = accept.NODE in report.rounds
    assert has_express != any("Express" in note for note in report.notes)
    assert any("Express" in line.what for line in report.lines) == has_express


@pytest.mark.parametrize("name", sorted(BENCHMARKS.keys() - {"accept"}))
async def test_a_benchmark_finds_what_it_looks_for(name: str, tmp_path: Path) -> None:
    report = await measured(name, tmp_path)
    assert not report.notes


@pytest.mark.parametrize(("programs", "missing"), [((), "node"), (("node",), "npm")])
def test_what_express_lacks_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, programs: tuple[str, ...], missing: str
) -> None:
    for program in programs:
        (tmp_path / program).touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(accept, "EXPRESS", tmp_path)
    [note] = accept._prepare_express(may_install=True)
    assert f"{missing} is not there" in note


def test_benchmarks_that_are_told_to_end_leave_no_router_running() -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks", "reload", "--quick"],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    listed = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    try:
        deadline = time.monotonic() + PATIENCE
        while not (children := listed.read_text().split()):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 128 + signal.SIGTERM
    finally:
        process.kill()
        process.wait()
    assert [child for child in children if Path(f"/proc/{child}").exists()] == []
