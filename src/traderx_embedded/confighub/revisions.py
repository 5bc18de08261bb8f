"""The data of units: new heads, restore, upgrade. Only a change of the bytes makes a revision."""

import base64
import binascii
import hashlib
import uuid
import zlib
from dataclasses import dataclass, replace

import yaml

from traderx_embedded.confighub.attributes import ZERO_UUID, now, parse_uuid
from traderx_embedded.confighub.call import Call
from traderx_embedded.confighub.entities import Revision, Unit
from traderx_embedded.confighub.errors import bad_request, not_found
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
    """New bytes for a unit, and where they come from."""

    data: bytes
    source: str
    description: str = ""
    user_agent: str = ""


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
    digest = hashlib.sha256(change.data).hexdigest()
    if digest == unit.data_hash and not first:
        return unit
    number = unit.head_revision_num + 1
    crc = zlib.crc32(change.data)
    moment = now()
    signed = crc - 2**32 if crc >= 2**31 else crc
    tx.create(
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
        )
    )
    tx.put_data(unit.id, number, change.data)
    return replace(unit, head_revision_num=number, content_hash=signed, data_hash=digest)


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
    )
    return put_head(tx, unit, change)


def _restored_revision(tx: Transaction, unit: Unit, call: Call) -> Revision:
    named = call.query.get("restore")
    if named is None:
        identifier = parse_uuid(call.query["revision_id"], where="revision_id") or ZERO_UUID
        revision = tx.find(Revision, identifier)
        if revision is None or revision.unit_id != unit.id:
            raise not_found(f"unit {unit.slug!r} has no revision {identifier}")
        return revision
    if named in _NAMED:
        number = int(getattr(unit, _NAMED[named]))
    elif named.isascii() and named.isdigit() and len(named) <= 10:
        number = int(named)
    else:
        raise bad_request(f"restore={named}: expected a number or one of {', '.join(_NAMED)}")
    for revision in tx.history(Revision, unit.id):
        if revision.revision_num == number:
            return revision
    raise bad_request(f"restore={named}: unit {unit.slug!r} has no revision {number}")


def upgraded(tx: Transaction, unit: Unit, call: Call) -> Unit:
    """Return the unit with the newest bytes of its upstream.

    A unit whose own bytes differ from those it was cloned from would need a merge by path, which
    this server does not do: it refuses rather than lose either side.

    Raises:
        ApiError: There is no upstream, or both sides have changed.
    """
    upstream = tx.find(Unit, unit.upstream_unit_id) if unit.upstream_unit_id else None
    if upstream is None:
        raise bad_request(f"unit {unit.slug!r} has no upstream unit to upgrade from")
    if upstream.head_revision_num == unit.upstream_revision_num:
        return unit
    merged = replace(unit, upstream_revision_num=upstream.head_revision_num)
    newest = tx.data(upstream.id, upstream.head_revision_num)
    base = tx.data(upstream.id, unit.upstream_revision_num)
    if newest == base:
        return merged
    if tx.data(unit.id, unit.head_revision_num) not in {base, newest}:
        raise bad_request(
            f"unit {unit.slug!r} has changes of its own since revision "
            f"{unit.upstream_revision_num} of its upstream {upstream.slug!r}: merging both is not "
            "supported yet"
        )
    number = upstream.head_revision_num
    change = Change(
        data=newest,
        source="Upgrade",
        description=f"upgrade to revision {number} of {upstream.slug}",
        user_agent=call.user_agent,
    )
    return put_head(tx, merged, change)
