"""A live router that knows its sender by a signature alone."""

import subprocess
from pathlib import Path

from tests.acceptance.router_process import RouterProcess, run_router, running

SECRET = "0123456789abcdef0123456789abcdef"
RULES = "version: 1\nchannels: {}\nrules: []\n"


def simulate(router: RouterProcess, secret: str) -> subprocess.CompletedProcess[str]:
    samples = ("push_chat_one_on_one", "sms_group")
    environ = {"ROUTER_WEBHOOK_SECRET": secret}
    return run_router("simulate", *samples, "--url", router.url, environ=environ)


def test_a_secret_is_enough_to_go_live_and_simulate_signs_with_it(tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text(RULES)
    settings = {
        "ROUTER_WEBHOOK_SECRET": SECRET,
        "ROUTER_RULES": str(tmp_path / "rules.yaml"),
        "ROUTER_DATABASE": f"sqlite+aiosqlite:///{tmp_path}/router.db",
    }
    with running(tmp_path, settings) as router:
        good, wrong = simulate(router, SECRET), simulate(router, SECRET[::-1])
    assert (good.returncode, good.stdout.count('"accepted"')) == (0, 2), good.stdout + good.stderr
    assert (wrong.returncode, wrong.stdout.count("401 ")) == (1, 2), wrong.stdout + wrong.stderr
    assert SECRET not in router.log.read_text()
