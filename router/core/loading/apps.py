"""`apps`: what holds for the recipients of one app; and countries, wherever one stands."""

from router.core.country import find_country_fault
from router.core.loading.report import Report
from router.core.loading.section import Section
from router.core.node import MappingNode
from router.core.ruleset import App

APP_KEYS = ("country",)


def read_apps(section: Section, report: Report) -> dict[str, App]:
    """Return what the file says of apps, by their ids."""
    apps: dict[str, App] = {}
    for app_id, entry in section.entries("apps").items():
        if isinstance(entry.value, MappingNode):
            part = Section(entry.value, report, what="app", known=APP_KEYS)
            apps[app_id] = App(country=read_country(part, report))
        else:
            hint = "write {country: US}"
            report.error(entry.value, f'what is said of app "{app_id}" must be a mapping', hint)
    return apps


def read_country(section: Section, report: Report) -> str:
    """Return the country that a section names; empty where it names none."""
    text = section.text("country")
    if text is None:
        return ""
    if fault := find_country_fault(text):
        message, _, hint = fault.partition("; ")
        report.error(section.value("country"), f'"{text}" is no country: it {message}', hint)
        return ""
    return text
