"""The data of units: new heads, restore, upgrade. Only a change of the bytes makes a revision."""

import base64
import binascii
import hashlib
import uuid
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import yaml

from traderx_embedded.confighub import sources, triggers
from traderx_embedded.confighub.attributes import ZERO_UUID, now, parse_uuid
from traderx_embedded.confighub.call import Call
from traderx_embedded.confighub.entities import Mutation, Revision, Unit
from traderx_embedded.confighub.errors import bad_request
from traderx_embedded.confighub.merge import Conflict, UnmergeableError, merge
from traderx_embedded.confighub.store import Transaction

DATA_LIMIT = 64 * 2**20
_NAMED = {
    "HeadRevisionNum": "head_revision_num",
    "LiveRevisionNum": "live_revision_num",
    "LastAppliedRevisionNum": "last_applied_revision_num",
    "PreviousLiveRevisionNum": "previous_live_revision_num",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """New bytes for a unit, and where they come from.

    Attributes:
        data: The bytes.
        source: What kind of change it is, in one word.
        description: Why, in the words of whoever made it.
        user_agent: The client that asked for it.
        restored: The number of the revision that the bytes were taken from; 0 if from none.
        upgraded_from: The number of the upstream's revision that was merged; 0 if none was.
        invocation: The function that made the bytes, as the API shows it.
    """

    data: bytes
    source: str
    description: str = ""
    user_agent: str = ""
    restored: int = 0
    upgraded_from: int = 0
    invocation: Mapping[str, Any] | None = None


def parse_data(value: object, *, toolchain_type: str) -> bytes:
    """Return the bytes of a `Data` field.

    Raises:
        ApiError: It is not base64, too large, or not YAML where the toolchain says YAML.
    """
    if not isinstance(value, str):
        raise bad_request("Unit.Data: expected base64 text")
    try:
        data = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError) as error:
        raise bad_request(f"Unit.Data: not base64: {error}") from error
    if len(data) > DATA_LIMIT:
        raise bad_request(f"Unit.Data: {len(data)} bytes; at most {DATA_LIMIT} are kept")
    if toolchain_type.endswith("/YAML"):
        _check_yaml(data)
    return data


def _check_yaml(data: bytes) -> None:
    # Events alone: aliases are not expanded, so no small document can become a large one here.
    try:
        for _ in yaml.parse(data, Loader=yaml.CSafeLoader):
            pass
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        told = " ".join(str(error).split())
        raise bad_request(f"Unit.Data: not YAML: {told[:300]}") from error


def put_head(tx: Transaction, unit: Unit, change: Change, *, first: bool = False) -> Unit:
    """Return the unit with these bytes as its head; the same bytes change nothing.

    The caller stores the returned unit, in the same transaction.
    """
    effect = triggers.on_change(tx, unit, change.data, cloned=change.source == "Clone")
    change = replace(change, data=effect.data)
    digest = hashlib.sha256(change.data).hexdigest()
    if digest == unit.data_hash and not first:
        return unit
    number = unit.head_revision_num + 1
    crc = zlib.crc32(change.data)
    moment = now()
    signed = crc - 2**32 if crc >= 2**31 else crc
    mutation_sources = sources.after(
        unit.mutation_sources,
        old=b"" if first else tx.data(unit.id, unit.head_revision_num),
        new=change.data,
        number=unit.head_mutation_num + 1,
        is_override=not first and bool(unit.upstream_unit_id) and not change.upgraded_from,
    )
    revision = tx.create(
        Revision(
            id=str(uuid.uuid4()),
            organization_id=tx.organization_id,
            created_at=moment,
            updated_at=moment,
            space_id=unit.space_id,
            unit_id=unit.id,
            revision_num=number,
            content_hash=signed,
            data_hash=digest,
            source=change.source,
            description=change.description,
            user_id=tx.user_id,
            user_agent=change.user_agent[:256],
            apply_gates=effect.gates,
            mutation_sources=mutation_sources,
        )
    )
    tx.put_data(unit.id, number, change.data)
    tx.create(
        Mutation(
            id=str(uuid.uuid4()),
            organization_id=tx.organization_id,
            created_at=moment,
            updated_at=moment,
            space_id=unit.space_id,
            unit_id=unit.id,
            mutation_num=unit.head_mutation_num + 1,
            revision_id=revision.id,
            revision_num=number,
            function_invocation=change.invocation,
            restored_revision_num=change.restored,
            upgraded_from_upstream_revision_num=change.upgraded_from,
        )
    )
    return replace(
        unit,
        head_revision_num=number,
        head_mutation_num=unit.head_mutation_num + 1,
        head_revision_at=moment,
        content_hash=signed,
        data_hash=digest,
        mutation_sources=mutation_sources,
        apply_gates=effect.gates,
        approved_by=(),
    )


def restored(tx: Transaction, unit: Unit, call: Call) -> Unit:
    """Return the unit with the bytes of the revision that `restore` or `revision_id` names.

    Raises:
        ApiError: There is no such revision.
    """
    revision = _restored_revision(tx, unit, call)
    change = Change(
        data=tx.data(unit.id, revision.revision_num),
        source="Restore",
        description=unit.last_change_description or f"restore revision {revision.revision_num}",
        user_agent=call.user_agent,
        restored=revision.revision_num,
    )
    return put_head(tx, unit, change)


def _restored_revision(tx: Transaction, unit: Unit, call: Call) -> Revision:
    named = call.query.get("restore")
    if named is None:
        identifier = parse_uuid(call.query["revision_id"], where="revision_id") or ZERO_UUID
        revision = tx.find(Revision, identifier)
        if revision is None or revision.unit_id != unit.id:
            raise bad_request(f"unit {unit.slug!r} has no revision {identifier}")
        return revision
    if named in _NAMED:
        number = int(getattr(unit, _NAMED[named]))
    elif named.isascii() and named.isdigit() and len(named) <= 10:
        number = int(named)
    else:
        raise bad_request(f"restore={named}: expected a number or one of {', '.join(_NAMED)}")
    revision = tx.revision(unit.id, number)
    if revision is None:
        raise bad_request(f"restore={named}: unit {unit.slug!r} has no revision {number}")
    return revision


def upgraded(tx: Transaction, unit: Unit, call: Call) -> tuple[Unit, tuple[Conflict, ...]]:
    """Return the unit with what its upstream changed since, and where the two contradict.

    Raises:
        ApiError: There is no upstream, or the two cannot be merged by path.
    """
    upstream = tx.find(Unit, unit.upstream_unit_id) if unit.upstream_unit_id else None
    if upstream is None:
        gone = "its upstream unit was deleted" if unit.upstream_unit_id else "it is no clone"
        raise bad_request(f"unit {unit.slug!r} has no upstream unit to upgrade from: {gone}")
    number, since = upstream.head_revision_num, unit.upstream_revision_num
    if number == since:
        return unit, ()
    try:
        merged = merge(
            base=tx.data(upstream.id, since),
            theirs=tx.data(upstream.id, number),
            ours=tx.data(unit.id, unit.head_revision_num),
        )
    except UnmergeableError as error:
        raise bad_request(
            f"unit {unit.slug!r} and its upstream {upstream.slug!r} both changed since revision "
            f"{since} of the latter, and cannot be merged by path: {error}"
        ) from error
    change = Change(
        data=merged.data,
        source="Upgrade",
        description=f"upgrade to revision {number} of {upstream.slug}",
        user_agent=call.user_agent,
        upgraded_from=number,
    )
    return put_head(tx, replace(unit, upstream_revision_num=number), change), merged.conflicts
