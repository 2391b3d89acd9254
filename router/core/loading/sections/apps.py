"""`apps`: what holds for the recipients of one app; and countries, wherever one stands."""

import re

from router.core.loading.diagnostics import Diagnostics
from router.core.loading.section import Section
from router.core.loading.yaml_nodes import MappingNode
from router.core.model.country import find_country_fault
from router.core.model.daily_cap import CAP_PATTERN, parse_cap
from router.core.rules.ruleset import App

APP_KEYS = ("country", "cap")


def read_apps(section: Section, report: Diagnostics) -> dict[str, App]:
    """Return what the file says of apps, by their ids."""
    apps: dict[str, App] = {}
    for app_id, entry in section.entries("apps").items():
        if isinstance(entry.value, MappingNode):
            part = Section(entry.value, report, what="app", keys=APP_KEYS)
            apps[app_id] = App(country=read_country(part, report), cap=_read_cap(part, report))
        else:
            hint = "write {country: US} or {cap: 1000/day}"
            report.error(entry.value, f'what is said of app "{app_id}" must be a mapping', hint)
    return apps


def _read_cap(section: Section, report: Diagnostics) -> int:
    """Return the most sends of an app on one day; 0 where the section sets no cap."""
    text = section.text("cap")
    if text is None:
        return 0
    if not re.fullmatch(CAP_PATTERN, text):
        hint = "write a whole number of sends a day, as 1000/day"
        report.error(section.value("cap"), f'"{text}" is not a daily cap', hint)
        return 0
    return parse_cap(text)


def read_country(section: Section, report: Diagnostics) -> str:
    """Return the country that a section names; empty where it names none."""
    text = section.text("country")
    if text is None:
        return ""
    if fault := find_country_fault(text):
        message, _, hint = fault.partition("; ")
        report.error(section.value("country"), f'"{text}" is not a country: it {message}', hint)
        return ""
    return text
