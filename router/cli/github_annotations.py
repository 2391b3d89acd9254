"""Problems as annotations of a pull request, by GitHub's workflow commands.

Source: https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands
"""

from router.core.errors import Problem

_IN_MESSAGE = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A"})
_IN_PROPERTY = _IN_MESSAGE | str.maketrans({":": "%3A", ",": "%2C"})


def annotate(problem: Problem) -> str:
    """Return the command that shows a problem at its place; it is one line."""
    properties = {
        "file": problem.file,
        "line": str(problem.line),
        "col": str(problem.column),
        "endColumn": str(problem.column + problem.length),
        "title": "router check",
    }
    told = ",".join(f"{name}={text.translate(_IN_PROPERTY)}" for name, text in properties.items())
    hint = f"; {problem.hint}" if problem.hint else ""
    return f"::{problem.severity} {told}::{f'{problem.message}{hint}'.translate(_IN_MESSAGE)}"
