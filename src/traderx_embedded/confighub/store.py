"""Entities in SQLite: one thread, one connection, one transaction at a time.

Every request runs as one function on that thread, so no two of them ever interleave. An answer
leaves only after its commit has reached the disk (WAL, synchronous=FULL). Entities that lists walk
over are also held in memory; revisions, events and ended operations are not.
"""

import asyncio
import contextlib
import json
import sqlite3
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar, cast

from traderx_embedded.confighub.entities import (
    BridgeWorker,
    BridgeWorkerStatus,
    ChangeSet,
    Entity,
    Filter,
    Invocation,
    Link,
    Mutation,
    Named,
    QueuedOperation,
    Resident,
    Revision,
    Set,
    Space,
    Tag,
    Target,
    Trigger,
    Unit,
    UnitEvent,
    View,
)
from traderx_embedded.confighub.errors import bad_request

Result = TypeVar("Result")
AnEntity = TypeVar("AnEntity", bound=Entity)
ANamed = TypeVar("ANamed", bound=Named)

_IN_MEMORY = (
    *(Space, Unit, Target, BridgeWorker, Filter, Set, Tag, Link, Trigger),
    *(ChangeSet, View, Invocation),
)
_TYPES: dict[str, type[Entity]] = {
    entity_type.__name__: entity_type
    for entity_type in (
        *_IN_MEMORY,
        *(Revision, Mutation, UnitEvent, QueuedOperation, BridgeWorkerStatus),
    )
}
OPEN_STATUSES = ("Pending", "Delivered", "Progressing")

_SCHEMA = """
CREATE TABLE IF NOT EXISTS setting (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS entity (
    id TEXT PRIMARY KEY,
    type TEXT NOT NULL,
    scope TEXT NOT NULL,          -- the space of a named entity
    slug TEXT,                    -- NULL where there is none, and so never a duplicate
    owner TEXT,                   -- the unit or worker of a history
    cursor INTEGER NOT NULL,
    body TEXT NOT NULL,
    UNIQUE (type, scope, slug)
) STRICT;
CREATE INDEX IF NOT EXISTS entity_of_owner ON entity (owner, type, cursor) WHERE owner IS NOT NULL;
CREATE INDEX IF NOT EXISTS revision_of_number
    ON entity (owner, json_extract(body, '$.revision_num')) WHERE type = 'Revision';
CREATE TABLE IF NOT EXISTS revision_data (
    unit_id TEXT NOT NULL, revision_num INTEGER NOT NULL, data BLOB NOT NULL,
    PRIMARY KEY (unit_id, revision_num)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS live_state (unit_id TEXT PRIMARY KEY, data BLOB NOT NULL) STRICT;
"""


class Store:
    """The database and its one thread."""

    def __init__(self, path: Path) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="store")
        self._woken: Callable[[str], None] = lambda _: None
        self._thread.submit(self._open, path).result()

    def on_work(self, woken: Callable[[str], None]) -> None:
        """Have `woken` called, on the event loop, with each worker that has new operations."""
        self._woken = woken

    async def run(self, work: Callable[["Transaction"], Result]) -> Result:
        """Run `work` in a transaction of its own; what it raises rolls everything back."""
        loop = asyncio.get_running_loop()
        result, workers = await loop.run_in_executor(self._thread, self._transact, work)
        for worker in workers:
            self._woken(worker)
        return result

    def close(self) -> None:
        """Finish what is queued and close the database."""
        self._thread.submit(self._connection.close).result()
        self._thread.shutdown()

    def _open(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None, timeout=1)
        # a second server on the same file would not see what this one holds in memory
        self._connection.execute("PRAGMA locking_mode=EXCLUSIVE")
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=FULL")
        self._connection.executescript(_SCHEMA)
        for name in ("organization_id", "user_id"):
            self._connection.execute(
                "INSERT OR IGNORE INTO setting VALUES (?, ?)", (name, str(uuid.uuid4()))
            )
        settings = dict(self._connection.execute("SELECT name, value FROM setting"))
        self._memory = Memory(
            organization_id=settings["organization_id"], user_id=settings["user_id"]
        )
        self._load()

    def _load(self) -> None:
        wanted = [entity_type.__name__ for entity_type in _IN_MEMORY]
        marks = ",".join("?" * len(wanted))
        rows = self._connection.execute(
            f"SELECT type, body FROM entity WHERE type IN ({marks}) "  # noqa: S608 - marks only
            "OR type = 'QueuedOperation' AND json_extract(body, '$.status') IN (?, ?, ?) "
            "OR type = 'UnitEvent' AND cursor IN "
            "  (SELECT max(cursor) FROM entity WHERE type = 'UnitEvent' GROUP BY owner) "
            "ORDER BY cursor",
            (*wanted, *OPEN_STATUSES),
        )
        for type_name, body in rows:
            self._memory.put(_TYPES[type_name].from_stored(json.loads(body)))
        (self._memory.cursor,) = self._connection.execute(
            "SELECT coalesce(max(cursor), 0) FROM entity"
        ).fetchone()

    def _transact(self, work: Callable[["Transaction"], Result]) -> tuple[Result, set[str]]:
        transaction = Transaction(self._connection, self._memory)
        try:
            result = work(transaction)
            transaction.commit()
        except BaseException:
            transaction.roll_back()
            raise
        return result, transaction.woken


class Memory:
    """The entities held in memory, in the order they were made."""

    def __init__(self, *, organization_id: str, user_id: str) -> None:
        self.organization_id = organization_id
        self.user_id = user_id
        self.cursor = 0
        self.entities: dict[type[Entity], dict[str, Entity]] = {
            entity_type: {} for entity_type in (*_IN_MEMORY, QueuedOperation)
        }
        self.slugs: dict[tuple[type[Entity], str, str], str] = {}
        self.latest_event: dict[str, UnitEvent] = {}

    def put(self, entity: Entity) -> None:
        """Hold the entity if its type is one that is held."""
        if isinstance(entity, UnitEvent):
            self.latest_event[entity.unit_id] = entity
        elif isinstance(entity, QueuedOperation) and entity.status not in OPEN_STATUSES:
            self.entities[QueuedOperation].pop(entity.id, None)
        elif type(entity) in self.entities:
            previous = self.entities[type(entity)].get(entity.id)
            self._forget_slug(previous)
            self.entities[type(entity)][entity.id] = entity
            if isinstance(entity, Named):
                self.slugs[type(entity), scope_of(entity), entity.slug] = entity.id

    def remove(self, entity: Entity) -> None:
        """Let go of the entity."""
        self.entities.get(type(entity), {}).pop(entity.id, None)
        self._forget_slug(entity)
        if isinstance(entity, Unit):
            self.latest_event.pop(entity.id, None)

    def _forget_slug(self, entity: Entity | None) -> None:
        if isinstance(entity, Named):
            self.slugs.pop((type(entity), scope_of(entity), entity.slug), None)


def scope_of(entity: Entity) -> str:
    """Return the space in which an entity's slug is unique; spaces themselves share one scope."""
    return entity.space_id if isinstance(entity, Resident) else ""


def _owner_of(entity: Entity) -> str | None:
    if isinstance(entity, Revision | Mutation | UnitEvent | QueuedOperation):
        return entity.unit_id
    return entity.bridge_worker_id if isinstance(entity, BridgeWorkerStatus) else None


class Transaction:
    """What one request may read and write; lives on the store's thread for one call only."""

    def __init__(self, connection: sqlite3.Connection, memory: Memory) -> None:
        self._connection = connection
        self._memory = memory
        self._begun = False
        self._undo: list[Callable[[], None]] = []
        self.woken: set[str] = set()

    @property
    def organization_id(self) -> str:
        """The one organization of this server."""
        return self._memory.organization_id

    @property
    def user_id(self) -> str:
        """The one user of this server."""
        return self._memory.user_id

    def all(self, entity_type: type[AnEntity]) -> list[AnEntity]:
        """Return all entities of a type that is held in memory, oldest first."""
        held = cast("list[AnEntity]", list(self._memory.entities[entity_type].values()))
        # nearly sorted already: only a rollback puts one back at the end
        return sorted(held, key=lambda entity: entity.cursor)

    def find(self, entity_type: type[AnEntity], identifier: str) -> AnEntity | None:
        """Return the entity of this identifier, or None."""
        held = self._memory.entities.get(entity_type, {}).get(identifier)
        if held is not None or entity_type in _IN_MEMORY:
            return cast("AnEntity | None", held)
        row = self._connection.execute(
            "SELECT body FROM entity WHERE id = ? AND type = ?", (identifier, entity_type.__name__)
        ).fetchone()
        return None if row is None else entity_type.from_stored(json.loads(row[0]))

    def by_slug(self, entity_type: type[ANamed], scope: str, slug: str) -> ANamed | None:
        """Return the entity of this slug, or None."""
        identifier = self._memory.slugs.get((entity_type, scope, slug))
        return None if identifier is None else self.find(entity_type, identifier)

    def history(self, entity_type: type[AnEntity], owner: str) -> Iterator[AnEntity]:
        """Return the revisions, events, operations or statuses of their owner, oldest first."""
        rows = self._connection.execute(
            "SELECT body FROM entity WHERE owner = ? AND type = ? ORDER BY cursor",
            (owner, entity_type.__name__),
        )
        return (entity_type.from_stored(json.loads(body)) for (body,) in rows)

    def revision(self, unit_id: str, number: int) -> Revision | None:
        """Return a unit's revision of a number, or None."""
        row = self._connection.execute(
            "SELECT body FROM entity WHERE owner = ? AND type = 'Revision' "
            "AND json_extract(body, '$.revision_num') = ?",
            (unit_id, number),
        ).fetchone()
        return None if row is None else Revision.from_stored(json.loads(row[0]))

    def latest_event(self, unit_id: str) -> UnitEvent | None:
        """Return the newest event of a unit."""
        return self._memory.latest_event.get(unit_id)

    def create(self, entity: AnEntity) -> AnEntity:
        """Store a new entity and return it with its place in the order of creation.

        Raises:
            ApiError: Its slug is taken.
        """
        if isinstance(entity, Named) and self.by_slug(type(entity), scope_of(entity), entity.slug):
            raise bad_request(f"{type(entity).__name__} {entity.slug!r} already exists")
        # A number given to a rolled-back creation stays unused: order is all that it means.
        self._memory.cursor += 1
        entity = replace(entity, cursor=self._memory.cursor)
        self._write(
            "INSERT INTO entity (id, type, scope, slug, owner, cursor, body) "
            "VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                entity.id,
                type(entity).__name__,
                scope_of(entity),
                entity.slug if isinstance(entity, Named) else None,
                _owner_of(entity),
                entity.cursor,
                json.dumps(entity.stored()),
            ),
        )
        self._remember(entity)
        return entity

    def update(self, entity: AnEntity) -> AnEntity:
        """Store a changed entity.

        Raises:
            ApiError: Its new slug is taken.
        """
        slug = None
        if isinstance(entity, Named):
            slug = entity.slug
            holder = self.by_slug(type(entity), scope_of(entity), slug)
            if holder is not None and holder.id != entity.id:
                raise bad_request(f"{type(entity).__name__} {slug!r} already exists")
        self._write(
            "UPDATE entity SET slug = ?, body = ? WHERE id = ?",
            (slug, json.dumps(entity.stored()), entity.id),
        )
        self._remember(entity)
        return entity

    def delete(self, entity: Entity) -> None:
        """Remove an entity with its history and its bytes."""
        self._write("DELETE FROM entity WHERE id = ? OR owner = ?", (entity.id, entity.id))
        self._write("DELETE FROM revision_data WHERE unit_id = ?", (entity.id,))
        self._write("DELETE FROM live_state WHERE unit_id = ?", (entity.id,))
        event = self.latest_event(entity.id)
        self._memory.remove(entity)
        self._undo.append(lambda: self._restore(entity, event))

    def data(self, unit_id: str, revision_num: int) -> bytes:
        """Return the bytes of a revision."""
        (data,) = self._connection.execute(
            "SELECT data FROM revision_data WHERE unit_id = ? AND revision_num = ?",
            (unit_id, revision_num),
        ).fetchone()
        return cast("bytes", data)

    def put_data(self, unit_id: str, revision_num: int, data: bytes) -> None:
        """Store the bytes of a new revision."""
        self._write("INSERT INTO revision_data VALUES (?, ?, ?)", (unit_id, revision_num, data))

    def live_state(self, unit_id: str) -> bytes:
        """Return what the worker last saw of a unit in the cluster; empty if nothing."""
        row = self._connection.execute(
            "SELECT data FROM live_state WHERE unit_id = ?", (unit_id,)
        ).fetchone()
        return b"" if row is None else cast("bytes", row[0])

    def put_live_state(self, unit_id: str, data: bytes) -> None:
        """Store what the worker saw."""
        self._write("INSERT OR REPLACE INTO live_state VALUES (?, ?)", (unit_id, data))

    @contextlib.contextmanager
    def part(self) -> Iterator[None]:
        """Undo what is written inside if it raises; the rest of the transaction stays."""
        undo_from = len(self._undo)
        self._begin()
        self._connection.execute("SAVEPOINT part")
        try:
            yield
        except BaseException:
            self._undo_since(undo_from)
            self._connection.execute("ROLLBACK TO part")
            raise
        finally:
            self._connection.execute("RELEASE part")

    def commit(self) -> None:
        """Make the writes durable."""
        if self._begun:
            self._connection.execute("COMMIT")
            self._begun = False

    def roll_back(self) -> None:
        """Take back the writes, in the database and in memory."""
        self._undo_since(0)
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")

    def _begin(self) -> None:
        if not self._begun:
            self._connection.execute("BEGIN IMMEDIATE")
            self._begun = True

    def _undo_since(self, start: int) -> None:
        while len(self._undo) > start:
            self._undo.pop()()

    def _write(self, statement: str, values: tuple[Any, ...]) -> None:
        self._begin()
        self._connection.execute(statement, values)

    def _remember(self, entity: Entity) -> None:
        if isinstance(entity, UnitEvent):
            event = self.latest_event(entity.unit_id)
            self._undo.append(lambda: self._restore_event(entity.unit_id, event))
        elif type(entity) in self._memory.entities:
            previous = self._memory.entities[type(entity)].get(entity.id)
            self._undo.append(lambda: self._restore_entity(entity, previous))
        self._memory.put(entity)

    def _restore(self, entity: Entity, event: UnitEvent | None) -> None:
        self._memory.put(entity)
        self._restore_event(entity.id, event)

    def _restore_entity(self, entity: Entity, previous: Entity | None) -> None:
        self._memory.remove(entity)
        if previous is not None:
            self._memory.put(previous)

    def _restore_event(self, unit_id: str, event: UnitEvent | None) -> None:
        if event is not None:
            self._memory.latest_event[unit_id] = event
        else:
            self._memory.latest_event.pop(unit_id, None)
