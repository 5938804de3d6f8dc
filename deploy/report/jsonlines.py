"""The line of JSON with which each task ends under --json."""

import json
from collections.abc import Mapping

from deploy.errors import DeployError
from deploy.outcome import Outcome


def result_line(task: str | None, seconds: float, outcome: Outcome) -> str:
    """The line of a task that went well."""
    return _line(
        {
            **outcome.more,
            "event": "result",
            "task": task,
            "ok": True,
            "release": outcome.release,
            "seconds": round(seconds, 3),
            "exit_code": 0,
        }
    )


def error_line(task: str | None, seconds: float, error: DeployError, exit_code: int) -> str:
    """The line of a task that failed; `task` is None if none had begun."""
    return _line(
        {
            **error.more,
            "event": "result",
            "task": task,
            "ok": False,
            "error": error.what,
            "hint": error.hint,
            "seconds": round(seconds, 3),
            "exit_code": exit_code,
        }
    )


def output_line(host: str, text: str) -> str:
    """One line that a host said."""
    return _line({"event": "output", "host": host, "text": text})


def _line(values: Mapping[str, object]) -> str:
    first = ("event", "task", "ok")
    ordered = {key: values[key] for key in first if key in values} | dict(values)
    return json.dumps(ordered, ensure_ascii=False, default=str)
