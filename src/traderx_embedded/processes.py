"""The processes that shall run under a state directory: one JSON file each.

The supervisor runs what it finds here; the command line and `up` write here.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from traderx_embedded import state as state_directory
from traderx_embedded.errors import RefusedError
from traderx_embedded.state import State

_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessSpec:
    """One process that shall run.

    Attributes:
        name: Names its file, its log and its line in the status.
        argv: The program and its arguments.
        env: Added to the clean environment that every process gets; may hold secrets.
        after: What must be started before it, and stopped after it.
    """

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    after: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The content of its file."""
        return {
            "name": self.name,
            "argv": list(self.argv),
            "env": dict(self.env),
            "after": list(self.after),
        }

    @classmethod
    def from_json(cls, name: str, value: Any) -> "ProcessSpec":
        """Parse the outside form.

        Raises:
            ValueError: It is not of the expected shape; the message names the key.
        """
        if not _NAME.fullmatch(name):
            raise ValueError(f"the name {name!r} is not lower-case letters, digits and dashes")
        if not isinstance(value, dict):
            raise ValueError("expected an object with argv, env, after")
        unknown = set(value) - {"name", "argv", "env", "after"}
        if unknown:
            raise ValueError(f"unknown key {min(unknown)!r}; known: argv, env, after")
        if value.get("name", name) != name:
            raise ValueError(f"name is {value['name']!r}, expected {name!r}")
        argv = _strings(value, "argv")
        if not argv:
            raise ValueError("argv is empty")
        env = value.get("env", {})
        if not isinstance(env, dict) or not all(isinstance(item, str) for item in env.values()):
            raise ValueError("env is not an object of strings")
        return cls(name=name, argv=argv, env=env, after=_strings(value, "after"))


def _strings(value: Mapping[str, Any], key: str) -> tuple[str, ...]:
    items = value.get(key, [])
    if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
        raise ValueError(f"{key} is not a list of strings")
    return tuple(items)


def parse(name: str, text: str) -> ProcessSpec:
    """Parse one process as somebody wrote it.

    Raises:
        RefusedError: It is malformed.
    """
    try:
        return ProcessSpec.from_json(name, json.loads(text))
    except ValueError as error:
        raise RefusedError(f"process {name}: {error}") from error


def write(state: State, spec: ProcessSpec) -> bool:
    """Write the process down; the supervisor must be told.

    Returns:
        Whether anything changed.
    """
    return state_directory.write(_file(state, spec.name), json.dumps(spec.to_json(), indent=1))


def remove(state: State, name: str) -> None:
    """Take the process off; the supervisor must be told.

    Raises:
        RefusedError: There is none of this name.
    """
    try:
        _file(state, name).unlink()
    except FileNotFoundError:
        known = ", ".join(spec.name for spec in read(state))
        raise RefusedError(f"process {name}: there is none; there are: {known or 'none'}") from None


def read(state: State) -> tuple[ProcessSpec, ...]:
    """Every process that shall run, in the order in which they start.

    Raises:
        RefusedError: A file is malformed, or processes wait for each other.
    """
    specs = [
        parse(file.stem, file.read_text(encoding="utf-8"))
        for file in sorted(state.processes.glob("[!.]*.json"))
    ]
    return in_order(specs)


def in_order(specs: Iterable[ProcessSpec]) -> tuple[ProcessSpec, ...]:
    """The processes, each after those it names; a name that is not there holds nobody up.

    Raises:
        RefusedError: Processes wait for each other.
    """
    waiting = {spec.name: spec for spec in specs}
    ordered: list[ProcessSpec] = []
    while waiting:
        free = [spec for spec in waiting.values() if not set(spec.after) & waiting.keys()]
        if not free:
            raise RefusedError(f"processes wait for each other: {', '.join(sorted(waiting))}")
        ordered += free
        for spec in free:
            del waiting[spec.name]
    return tuple(ordered)


def _file(state: State, name: str) -> Path:
    return state.processes / f"{name}.json"
