"""A report of tests as continuous integration reads it.

Source: https://github.com/testmoapp/junitxml
"""

import re
from collections.abc import Sequence
from itertools import groupby
from xml.etree import ElementTree as ET

from msgspec import Struct

from router.core.simulate.assertions import FailedExpectation
from router.core.simulate.test_case import RuleTest

_UNFIT = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class CaseResult(Struct, frozen=True, kw_only=True):
    """How one test went: it passed when there are no failures."""

    file: str
    case: RuleTest
    failures: tuple[FailedExpectation, ...]


def write_report(results: Sequence[CaseResult]) -> bytes:
    """Return the results as JUnit XML, a suite for each file."""
    root = ET.Element("testsuites", _count(results))
    for file, group in groupby(results, lambda result: result.file):
        of_file = list(group)
        suite = ET.SubElement(root, "testsuite", {"name": file, **_count(of_file)})
        for result in of_file:
            _add(suite, result)
    report: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return report


def _add(suite: ET.Element, result: CaseResult) -> None:
    place = result.case.place
    about = {"name": result.case.name, "classname": result.file}
    about |= {"file": place.file, "line": str(place.line)}
    case = ET.SubElement(suite, "testcase", {key: _xml_text(text) for key, text in about.items()})
    for failure in result.failures:
        shown = {"message": _xml_text(failure.message)}
        ET.SubElement(
            case, "failure", shown
        ).text = f"{failure.place}: {_xml_text(failure.message)}"


def _count(results: Sequence[CaseResult]) -> dict[str, str]:
    failed = sum(bool(result.failures) for result in results)
    return {"tests": str(len(results)), "failures": str(failed)}


def _xml_text(text: str) -> str:
    """Return the text less what XML cannot hold."""
    return _UNFIT.sub("\ufffd", text)
