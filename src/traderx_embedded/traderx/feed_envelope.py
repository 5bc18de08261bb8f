"""What the feed wraps around a message, with JavaScript's idea of absent values and of texts."""

import json
import time
from typing import Any, Final

ABSENT: Final = "undefined"
"""The room of those who named none, as JavaScript prints it."""


class UndefinedError(Exception):
    """A field of nothing was asked for; JavaScript's TypeError."""


def envelope(sender: str, message: Any) -> dict[str, Any]:
    """Return the envelope of a message; fields that it lacks are left out.

    Raises:
        UndefinedError: There is no message, or it is null.
    """
    if message is None:
        raise UndefinedError("Cannot read properties of undefined (reading 'topic')")
    fields = message if isinstance(message, dict) else {}
    wrapped = {"type": fields.get("type") or "message", "from": sender}
    if "topic" in fields:
        wrapped["topic"] = fields["topic"]
    wrapped["date"] = time.time_ns() // 1_000_000
    if "payload" in fields:
        wrapped["payload"] = fields["payload"]
    return wrapped


def notice(arguments: list[Any], text: str) -> dict[str, Any]:
    """Return the System message about a topic; the text has `{topic}` where the topic belongs."""
    payload = {"message": text.format(topic=_shown(arguments))}
    topic = {"topic": arguments[0]} if arguments else {}
    return {"type": "message", "payload": payload, **topic}


def room(arguments: list[Any]) -> str:
    """Return the key of the room that a topic, of whatever type, stands for."""
    if not arguments:
        return ABSENT
    topic = arguments[0]
    if isinstance(topic, dict | list):
        return f"object {id(topic)}"  # no two objects are the same room
    return json.dumps(topic)


def _shown(arguments: list[Any]) -> str:
    if not arguments:
        return ABSENT
    topic = arguments[0]
    if isinstance(topic, str):
        return topic
    if isinstance(topic, dict):
        return "[object Object]"
    if isinstance(topic, list):
        return ",".join("" if item is None else _shown([item]) for item in topic)
    return json.dumps(topic)
