"""Backups of an environment: its units' data and metadata in one file that can be put back."""

import base64
import datetime as dt
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from traderx_gate.confighub import ConfigHub, Space, Unit
from traderx_gate.errors import ConfigurationError, RefusedError

SCHEMA = "traderx-gate/backup"
VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptUnit:
    """One unit as it was.

    Attributes:
        sha256: Of the data, hexadecimal.
        head: The number of its head revision then.
    """

    slug: str
    labels: Mapping[str, str]
    data: bytes
    sha256: str
    head: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Backup:
    """An environment's units as they were."""

    environment: str
    space: str
    at: dt.datetime
    units: tuple[KeptUnit, ...]

    @classmethod
    def of(cls, environment: str, space: Space, units: Mapping[str, Unit]) -> Self:
        """Return the backup of what was just read."""
        kept = (
            KeptUnit(
                slug=unit.slug,
                labels=unit.labels,
                data=unit.data,
                sha256=unit.sha256,
                head=unit.head_revision,
            )
            for unit in units.values()
        )
        at = dt.datetime.now(dt.UTC)
        return cls(environment=environment, space=space.slug, at=at, units=tuple(kept))

    def to_json(self) -> dict[str, Any]:
        """Return the file's content."""
        return {
            "schema": SCHEMA,
            "version": VERSION,
            "environment": self.environment,
            "space": self.space,
            "at": self.at.isoformat(),
            "units": [
                {
                    "slug": unit.slug,
                    "labels": dict(unit.labels),
                    "data": base64.b64encode(unit.data).decode(),
                    "sha256": unit.sha256,
                    "head": unit.head,
                }
                for unit in self.units
            ],
        }

    @classmethod
    def parse(cls, content: bytes, *, source: str) -> Self:
        """Read a backup file.

        Raises:
            ConfigurationError: It is none, or a unit's data is not what was backed up.
        """
        try:
            body = json.loads(content)
            if (body["schema"], body["version"]) != (SCHEMA, VERSION):
                raise ValueError(f"schema {body['schema']!r} version {body['version']!r}")
            backup = cls(
                environment=str(body["environment"]),
                space=str(body["space"]),
                at=dt.datetime.fromisoformat(body["at"]),
                units=tuple(
                    KeptUnit(
                        slug=str(unit["slug"]),
                        labels={str(k): str(v) for k, v in unit["labels"].items()},
                        data=base64.b64decode(unit["data"], validate=True),
                        sha256=str(unit["sha256"]),
                        head=int(unit["head"]),
                    )
                    for unit in body["units"]
                ),
            )
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise ConfigurationError(f"{source} is no backup of this version: {error}") from error
        for unit in backup.units:
            if hashlib.sha256(unit.data).hexdigest() != unit.sha256:
                raise ConfigurationError(f"{source}: the data of unit {unit.slug} was changed")
        return backup


def restore(hub: ConfigHub, space: Space, backup: Backup) -> tuple[str, ...]:
    """Make an environment's units what a backup says; returns what was done, in words.

    What is in the space and not in the backup stays. Nothing is applied.

    Raises:
        RefusedError: The backup is of another space.
        ConfigHubError: ConfigHub refuses a unit; what was restored before it stays.
    """
    if backup.space != space.slug:
        raise RefusedError(f"the backup is of space {backup.space}, not {space.slug}")
    present = {unit.slug: unit for unit in hub.unit_list(space)}
    targets = hub.target_list(space)
    why = f"restore the backup of {backup.at:%Y-%m-%d %H:%M:%S UTC}"
    done = []
    for kept in backup.units:
        unit = present.get(kept.slug)
        if unit is None:
            unit = hub.unit_create(space, kept.slug, kept.data, labels=kept.labels)
            for target in targets[:1]:
                hub.unit_set_target(unit, target)
            done.append(f"{kept.slug}: made again, without its upstream")
            continue
        if unit.sha256 != kept.sha256:
            # a revision that is restored, and no edit: a promotion can tell what was taken back
            known = {revision.sha256: revision for revision in hub.revision_list(unit)}
            unit = (
                hub.unit_restore(unit, known[kept.sha256], change=why)
                if kept.sha256 in known
                else hub.unit_update(unit, kept.data, change=why)
            )
            done.append(f"{kept.slug}: revision {unit.head_revision} is what {kept.head} was")
        if dict(unit.labels) != dict(kept.labels):
            hub.unit_set_labels(unit, kept.labels)
            done.append(f"{kept.slug}: labels restored")
    return tuple(done)
