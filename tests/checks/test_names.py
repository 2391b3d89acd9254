from pathlib import Path

import pytest

from tests.checks.names import find_faults, retired_names


def test_the_names_of_the_router_and_its_plugins_are_in_order() -> None:
    assert [str(fault) for fault in find_faults()] == []


@pytest.mark.parametrize(
    ("module", "text", "fault"),
    [
        ("postman", "", "router/postman.py:1: the module name postman is retired"),
        ("a", "class Postman: ...\n", "router/a.py:1: the class name Postman is retired"),
        ("a", "def take_back(): ...\n", "router/a.py:1: the function name take_back is retired"),
        (
            "a",
            "class A: ...\nclass A: ...\n",
            "router/a.py:2: class A has the name of router/a.py:1",
        ),
        (
            "a",
            "\nPOLL_INTERVAL = 2 * 60\n",
            (
                "router/a.py:2: the constant POLL_INTERVAL has no unit;"
                " end it in _S, _BYTES or the like"
            ),
        ),
    ],
)
def test_a_fault_is_found_with_its_place(
    tmp_path: Path, module: str, text: str, fault: str
) -> None:
    (tmp_path / "router").mkdir()
    (tmp_path / "router" / f"{module}.py").write_text(text)
    assert [str(found) for found in find_faults(tmp_path)] == [fault]


@pytest.mark.parametrize(
    "text", ["POLL_INTERVAL_S = 2.0\n", "MAX_BODY_BYTES = 1 << 20\n", "IS_LEASE = True\n"]
)
def test_a_constant_with_its_unit_and_one_of_no_quantity_pass(tmp_path: Path, text: str) -> None:
    (tmp_path / "router").mkdir()
    (tmp_path / "router" / "a.py").write_text(text)
    assert list(find_faults(tmp_path)) == []


def test_retired_names_are_many() -> None:
    assert len(retired_names()) > 150
