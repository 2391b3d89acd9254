"""Events of reading the rules, and of opening and closing their channels."""

from typing import Final

from router.telemetry.log_events.event import NOTHING_TO_DO, LogEvent

RULES_EVENTS: Final = (
    LogEvent(
        "rules loaded",
        "info",
        ("version", "count"),
        "The first rules are in force.",
        NOTHING_TO_DO,
    ),
    LogEvent(
        "rules reloaded",
        "info",
        ("version", "count"),
        "The rules on disk have replaced those that were in force.",
        NOTHING_TO_DO,
    ),
    LogEvent(
        "rules rejected",
        "error",
        ("file", "count"),
        "The rules on disk have errors; the rules in force stay as they were.",
        "Correct each `rules error` logged before; `router check` shows them with their lines.",
    ),
    LogEvent(
        "rules error",
        "error",
        ("place", "reason", "hint"),
        "A line of the rules is invalid.",
        "Correct the line as the hint says.",
    ),
    LogEvent(
        "rules warning",
        "warning",
        ("place", "reason", "hint"),
        "A line of the rules is valid, and probably not what its author means.",
        "Correct the line, or leave it as it is if it is intended.",
    ),
    LogEvent(
        "rules files changed",
        "info",
        (),
        "A rules file has changed on disk; the router reads the rules again.",
        NOTHING_TO_DO,
    ),
    LogEvent(
        "included file rejected",
        "error",
        ("file", "owner", "standing"),
        "An included file has errors; the other files are in force.",
        "Let its owner correct each `rules error` of the file.",
    ),
    LogEvent(
        "no rules in force",
        "error",
        (),
        "The rules on disk have errors and the database has no others. Payloads are accepted and "
        "wait; nothing is sent.",
        "Correct the rules file; the router reads it again by itself.",
    ),
    LogEvent(
        "last good rules in force",
        "warning",
        ("version",),
        "The rules on disk have errors; the router has started with the last good ones from the "
        "database.",
        "Correct the rules file; the router reads it again by itself.",
    ),
    LogEvent(
        "last good rules unusable",
        "error",
        ("reason",),
        "The rules on disk have errors, and so have those in the database. Payloads are accepted "
        "and wait; nothing is sent.",
        "Correct the rules file; the router reads it again by itself.",
    ),
    LogEvent(
        "last good rules not read",
        "warning",
        ("error",),
        "The database did not return the last good texts of included files; those with errors are "
        "left out.",
        "Look at the database.",
    ),
    LogEvent(
        "last good rules not stored",
        "warning",
        ("error",),
        "The rules are in force, and the database does not have them: a restart with a broken file "
        "would fall back to older ones.",
        "Look at the database, then reload the rules.",
    ),
    LogEvent(
        "rules contain literal secrets",
        "warning",
        ("files",),
        "Secrets stand in the rules themselves. They are not stored, so a restart cannot fall back "
        "to these rules.",
        "Write `${env:NAME}` or `${file:PATH}` in place of each secret.",
    ),
    LogEvent(
        "channel close failed",
        "warning",
        ("channel", "error", "place"),
        "A channel that was replaced or that stops raised an error, or took longer than 5 s.",
        "Correct `aclose` of the plugin.",
    ),
    LogEvent(
        "channel close timed out",
        "error",
        ("channel",),
        "A channel did not close before the router stopped, and was cancelled.",
        "Correct `aclose` of the plugin: it must end when it is cancelled.",
    ),
)
