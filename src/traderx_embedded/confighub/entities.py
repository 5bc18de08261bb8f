"""The entities of ConfigHub as frozen values, and their form in JSON and in storage.

The bytes of a revision and a unit's live state are not part of an entity: `store` keeps them apart.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar, Self

from traderx_embedded.confighub.attributes import (
    ZERO_TIME,
    Kind,
    attribute,
    attributes_of,
    now,
    parse,
)
from traderx_embedded.confighub.errors import bad_request


@dataclass(frozen=True, slots=True, kw_only=True)
class Entity:
    """What every entity has.

    `version` counts the writes of clients alone: were it to move with an apply's progress, a client
    that read a unit just before would be refused for a change that takes nothing from it.
    """

    id: str = attribute("*ID", Kind.UUID)
    organization_id: str = attribute("OrganizationID", Kind.UUID)
    version: int = attribute("Version", Kind.INTEGER, default=1, filterable=False)
    cursor: int = attribute("CursorID", Kind.INTEGER, default=0, filterable=False)
    created_at: str = attribute("CreatedAt", Kind.TIME)
    updated_at: str = attribute("UpdatedAt", Kind.TIME)

    @classmethod
    def from_stored(cls, stored: Mapping[str, Any]) -> Self:
        """Return an entity from what `stored` returned once."""
        known = {field.name for field in fields(cls)}
        return cls(**{name: value for name, value in stored.items() if name in known})

    def stored(self) -> dict[str, Any]:
        """Return everything, internal attributes included, by field name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def to_json(self) -> dict[str, Any]:
        """Return the entity as answers show it."""
        shown: dict[str, Any] = {"EntityType": type(self).__name__}
        for name, declared in attributes_of(type(self)).items():
            value = getattr(self, declared.field)
            if not declared.internal and value is not None:
                shown[name] = value
        return shown

    def changed(self, changes: Mapping[str, Any]) -> Self:
        """Return the entity as a client's write leaves it."""
        return replace(self, **changes, version=self.version + 1, updated_at=now())


@dataclass(frozen=True, slots=True, kw_only=True)
class Named(Entity):
    """An entity with a slug, labels and annotations."""

    slug: str = attribute("Slug", Kind.SLUG, writable=True)
    display_name: str = attribute("DisplayName", Kind.TEXT, default="", writable=True)
    labels: Mapping[str, str] = attribute("Labels", Kind.LABELS, writable=True)
    annotations: Mapping[str, str] = attribute("Annotations", Kind.ANNOTATIONS, writable=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Space(Named):
    """A space; its own identifier is its `SpaceID`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resident(Named):
    """A named entity that lives in a space."""

    required: ClassVar[tuple[str, ...]] = ()

    space_id: str = attribute("SpaceID", Kind.UUID)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit(Resident):
    """A unit: one document with revisions. `action*` and `drift` are what `UnitStatus` shows."""

    required: ClassVar[tuple[str, ...]] = ("toolchain_type",)

    toolchain_type: str = attribute("ToolchainType", Kind.TEXT, default="", writable=True)
    content_hash: int = attribute("ContentHash", Kind.INTEGER, default=0, filterable=False)
    data_hash: str = attribute("DataHash", Kind.TEXT, default="")
    target_id: str | None = attribute("TargetID", Kind.UUID, writable=True)
    set_id: str | None = attribute("SetID", Kind.UUID, writable=True)
    last_change_description: str = attribute(
        "LastChangeDescription", Kind.TEXT, default="", writable=True
    )
    head_revision_num: int = attribute("HeadRevisionNum", Kind.INTEGER, default=0)
    last_applied_revision_num: int = attribute("LastAppliedRevisionNum", Kind.INTEGER, default=0)
    live_revision_num: int = attribute("LiveRevisionNum", Kind.INTEGER, default=0)
    head_mutation_num: int = attribute("HeadMutationNum", Kind.INTEGER, default=0, filterable=False)
    previous_live_revision_num: int = attribute("PreviousLiveRevisionNum", Kind.INTEGER, default=0)
    upstream_organization_id: str | None = attribute("UpstreamOrganizationID", Kind.UUID)
    upstream_space_id: str | None = attribute("UpstreamSpaceID", Kind.UUID)
    upstream_unit_id: str | None = attribute("UpstreamUnitID", Kind.UUID)
    upstream_revision_num: int = attribute("UpstreamRevisionNum", Kind.INTEGER, default=0)
    apply_gates: Mapping[str, bool] = attribute("ApplyGates", Kind.FLAGS)
    approved_by: tuple[str, ...] = attribute("ApprovedBy", Kind.UUIDS, default=())
    # clients dereference it, so it is always a list
    mutation_sources: tuple[Any, ...] = attribute(
        "MutationSources", Kind.DOCUMENT, default=(), filterable=False
    )
    head_revision_at: str | None = attribute(
        "HeadRevisionAt", Kind.TIME, filterable=False, internal=True
    )
    last_action_at: str | None = attribute("LastActionAt", Kind.TIME)
    action: str = attribute("Action", Kind.TEXT, default="N/A", filterable=False, internal=True)
    action_result: str = attribute(
        "ActionResult", Kind.TEXT, default="None", filterable=False, internal=True
    )
    action_status: str = attribute(
        "ActionStatus", Kind.TEXT, default="None", filterable=False, internal=True
    )
    action_terminated_at: str | None = attribute(
        "ActionTerminatedAt", Kind.TIME, filterable=False, internal=True
    )
    drift: str = attribute("Drift", Kind.TEXT, default="", filterable=False, internal=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision(Entity):
    """One state of a unit's data; never changed but for the time it went live."""

    space_id: str = attribute("SpaceID", Kind.UUID)
    unit_id: str = attribute("UnitID", Kind.UUID)
    revision_num: int = attribute("RevisionNum", Kind.INTEGER)
    content_hash: int = attribute("ContentHash", Kind.INTEGER, default=0, filterable=False)
    data_hash: str = attribute("DataHash", Kind.TEXT, default="")
    source: str = attribute("Source", Kind.TEXT, default="")
    description: str = attribute("Description", Kind.TEXT, default="")
    mutation_sources: tuple[Any, ...] = attribute(
        "MutationSources", Kind.DOCUMENT, default=(), filterable=False
    )
    apply_gates: Mapping[str, bool] = attribute("ApplyGates", Kind.FLAGS)
    approved_by: tuple[str, ...] = attribute("ApprovedBy", Kind.UUIDS, default=())
    live_at: str = attribute("LiveAt", Kind.TIME, default=ZERO_TIME)
    user_id: str | None = attribute("UserID", Kind.UUID)
    user_agent: str = attribute("UserAgent", Kind.TEXT, default="")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutation(Entity):
    """One change of a unit's data and where it came from; zero and absent say from elsewhere."""

    space_id: str = attribute("SpaceID", Kind.UUID)
    unit_id: str = attribute("UnitID", Kind.UUID)
    mutation_num: int = attribute("MutationNum", Kind.INTEGER)
    revision_id: str = attribute("RevisionID", Kind.UUID)
    revision_num: int = attribute("RevisionNum", Kind.INTEGER)
    function_invocation: Mapping[str, Any] | None = attribute(
        "FunctionInvocation", Kind.DOCUMENT, filterable=False
    )
    invocation_id: str | None = attribute("InvocationID", Kind.UUID)
    trigger_id: str | None = attribute("TriggerID", Kind.UUID)
    link_id: str | None = attribute("LinkID", Kind.UUID)
    restored_revision_num: int = attribute("RestoredRevisionNum", Kind.INTEGER, default=0)
    upgraded_from_upstream_revision_num: int = attribute(
        "UpgradedFromUpstreamRevisionNum", Kind.INTEGER, default=0
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Target(Resident):
    """Where units are applied; `parameters` is a JSON text inside a string."""

    required: ClassVar[tuple[str, ...]] = ("toolchain_type", "provider_type")

    toolchain_type: str = attribute("ToolchainType", Kind.TEXT, default="", writable=True)
    provider_type: str = attribute("ProviderType", Kind.TEXT, default="", writable=True)
    parameters: str = attribute(
        "Parameters", Kind.TEXT, default="", writable=True, filterable=False
    )
    bridge_worker_id: str | None = attribute("BridgeWorkerID", Kind.UUID, writable=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class BridgeWorker(Resident):
    """A worker. Its secret is shown, as in ConfigHub, but not filterable: LIKE would leak it."""

    condition: str = attribute("Condition", Kind.TEXT, default="Disconnected")
    last_message: str = attribute("LastMessage", Kind.TEXT, default="")
    last_seen_at: str = attribute("LastSeenAt", Kind.TIME, default=ZERO_TIME)
    ip_address: str = attribute("IPAddress", Kind.TEXT, default="")
    secret: str = attribute("Secret", Kind.TEXT, default="", filterable=False)
    provided_info: Mapping[str, Any] | None = attribute(
        "ProvidedInfo", Kind.DOCUMENT, filterable=False
    )
    user_id: str | None = attribute("UserID", Kind.UUID)

    def __repr__(self) -> str:
        """Name the worker without its secret."""
        return f"BridgeWorker(id={self.id!r}, slug={self.slug!r}, secret='***')"


@dataclass(frozen=True, slots=True, kw_only=True)
class BridgeWorkerStatus(Entity):
    """One moment in the life of a worker's connection."""

    space_id: str = attribute("SpaceID", Kind.UUID)
    bridge_worker_id: str = attribute("BridgeWorkerID", Kind.UUID)
    bridge_worker_slug: str = attribute("BridgeWorkerSlug", Kind.TEXT)
    status: str = attribute("Status", Kind.TEXT)
    seen_at: str = attribute("SeenAt", Kind.TIME)
    ip_address: str = attribute("IPAddress", Kind.TEXT, default="")


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter(Resident):
    """A stored `where`."""

    required: ClassVar[tuple[str, ...]] = ("from_",)

    from_: str = attribute("From", Kind.TEXT, default="", writable=True)
    where: str = attribute("Where", Kind.TEXT, default="", writable=True)
    where_data: str = attribute("WhereData", Kind.TEXT, default="", writable=True)
    resource_type: str = attribute("ResourceType", Kind.TEXT, default="", writable=True)
    from_space_id: str | None = attribute("FromSpaceID", Kind.UUID, writable=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Set(Resident):
    """A named set that units point to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tag(Resident):
    """A name for revisions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger(Resident):
    """A function that runs by itself when units of its space change; `triggers` says how."""

    required: ClassVar[tuple[str, ...]] = ("event", "function_name", "toolchain_type")

    event: str = attribute("Event", Kind.TEXT, default="", writable=True)
    function_name: str = attribute("FunctionName", Kind.TEXT, default="", writable=True)
    arguments: tuple[Any, ...] | None = attribute(
        "Arguments", Kind.DOCUMENT, writable=True, filterable=False
    )
    toolchain_type: str = attribute("ToolchainType", Kind.TEXT, default="", writable=True)
    disabled: bool = attribute("Disabled", Kind.BOOLEAN, default=False, writable=True)
    enforced: bool = attribute("Enforced", Kind.BOOLEAN, default=False, writable=True)
    validating: bool = attribute("Validating", Kind.BOOLEAN, default=False)
    bridge_worker_id: str | None = attribute("BridgeWorkerID", Kind.UUID, writable=True)
    invocation_id: str | None = attribute("InvocationID", Kind.UUID, writable=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeSet(Resident):
    """A name for changes that belong together, between two tags."""

    description: str = attribute("Description", Kind.TEXT, default="", writable=True)
    filter_id: str | None = attribute("FilterID", Kind.UUID, writable=True)
    start_tag_id: str | None = attribute("StartTagID", Kind.UUID, writable=True)
    end_tag_id: str | None = attribute("EndTagID", Kind.UUID, writable=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class View(Resident):
    """How a client shows what a filter lets through."""

    required: ClassVar[tuple[str, ...]] = ("filter_id",)

    filter_id: str | None = attribute("FilterID", Kind.UUID, writable=True)
    columns: tuple[Any, ...] | None = attribute(
        "Columns", Kind.DOCUMENT, writable=True, filterable=False
    )
    group_by: str = attribute("GroupBy", Kind.TEXT, default="", writable=True)
    order_by: str = attribute("OrderBy", Kind.TEXT, default="", writable=True)
    order_by_direction: str = attribute("OrderByDirection", Kind.TEXT, default="", writable=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Invocation(Resident):
    """A function with its arguments, kept under a name."""

    required: ClassVar[tuple[str, ...]] = ("function_name", "toolchain_type")

    function_name: str = attribute("FunctionName", Kind.TEXT, default="", writable=True)
    arguments: tuple[Any, ...] | None = attribute(
        "Arguments", Kind.DOCUMENT, writable=True, filterable=False
    )
    toolchain_type: str = attribute("ToolchainType", Kind.TEXT, default="", writable=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Link(Resident):
    """One unit needs values of another, so that one is applied first; see `links`."""

    required: ClassVar[tuple[str, ...]] = ("from_unit_id", "to_unit_id")

    from_unit_id: str | None = attribute("FromUnitID", Kind.UUID, writable=True)
    to_unit_id: str | None = attribute("ToUnitID", Kind.UUID, writable=True)
    to_space_id: str | None = attribute("ToSpaceID", Kind.UUID, writable=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuedOperation(Entity):
    """One action on one unit, from the request to its end."""

    space_id: str = attribute("SpaceID", Kind.UUID)
    unit_id: str = attribute("UnitID", Kind.UUID)
    target_id: str = attribute("TargetID", Kind.UUID)
    bridge_worker_id: str = attribute("BridgeWorkerID", Kind.UUID)
    action: str = attribute("Action", Kind.TEXT)
    status: str = attribute("Status", Kind.TEXT, default="Pending")
    revision_num: int = attribute("RevisionNum", Kind.INTEGER, default=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitEvent(Entity):
    """What became known about an operation, in the order it became known."""

    space_id: str = attribute("SpaceID", Kind.UUID)
    unit_id: str = attribute("UnitID", Kind.UUID)
    queued_operation_id: str = attribute("QueuedOperationID", Kind.UUID)
    bridge_worker_id: str = attribute("BridgeWorkerID", Kind.UUID)
    revision_num: int = attribute("RevisionNum", Kind.INTEGER, default=0)
    action: str = attribute("Action", Kind.TEXT)
    result: str = attribute("Result", Kind.TEXT, default="None")
    status: str = attribute("Status", Kind.TEXT, default="None")
    message: str = attribute("Message", Kind.TEXT, default="", filterable=False)
    started_at: str | None = attribute("StartedAt", Kind.TIME)
    terminated_at: str | None = attribute("TerminatedAt", Kind.TIME)


# What a relation is called, the attribute that holds it, and the entity it leads to:
# the prefixes of `where`, and the names of `include`.
RELATIONS: Mapping[type[Entity], Mapping[str, tuple[str, type[Entity]]]] = {
    Space: {},
    Unit: {
        "Space": ("SpaceID", Space),
        "Target": ("TargetID", Target),
        "Set": ("SetID", Set),
        "UpstreamUnit": ("UpstreamUnitID", Unit),
        "UpstreamSpace": ("UpstreamSpaceID", Space),
    },
    Revision: {"Unit": ("UnitID", Unit), "Space": ("SpaceID", Space)},
    Mutation: {
        "Unit": ("UnitID", Unit),
        "Space": ("SpaceID", Space),
        "Revision": ("RevisionID", Revision),
        "Link": ("LinkID", Link),
        "Trigger": ("TriggerID", Trigger),
    },
    ChangeSet: {
        "Space": ("SpaceID", Space),
        "Filter": ("FilterID", Filter),
        "StartTag": ("StartTagID", Tag),
        "EndTag": ("EndTagID", Tag),
    },
    View: {"Space": ("SpaceID", Space), "Filter": ("FilterID", Filter)},
    Invocation: {"Space": ("SpaceID", Space)},
    Target: {"Space": ("SpaceID", Space), "BridgeWorker": ("BridgeWorkerID", BridgeWorker)},
    BridgeWorker: {"Space": ("SpaceID", Space)},
    BridgeWorkerStatus: {},
    Filter: {"Space": ("SpaceID", Space), "FromSpace": ("FromSpaceID", Space)},
    Set: {"Space": ("SpaceID", Space)},
    Tag: {"Space": ("SpaceID", Space)},
    Trigger: {"Space": ("SpaceID", Space), "BridgeWorker": ("BridgeWorkerID", BridgeWorker)},
    Link: {
        "Space": ("SpaceID", Space),
        "FromUnit": ("FromUnitID", Unit),
        "ToUnit": ("ToUnitID", Unit),
        "ToSpace": ("ToSpaceID", Space),
    },
    UnitEvent: {"Unit": ("UnitID", Unit), "Space": ("SpaceID", Space)},
    QueuedOperation: {},
}

# Attributes that live outside the entity and are handled by the routes of units.
BESIDE = frozenset({"Data", "LiveState", "EntityType", "Conflicts"})


def client_values(entity_type: type[Entity], body: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a whole entity in a request body sets, by field name.

    Server-set attributes are accepted and ignored, because clients send back what they read; names
    that the entity does not have are refused unless they say nothing, so that a typing error shows.

    Raises:
        ApiError: A value breaks the rules, or a name is unknown.
    """
    known = attributes_of(entity_type)
    values: dict[str, Any] = {}
    for name, value in body.items():
        if name in BESIDE:
            continue
        declared = known.get(name)
        if declared is None or declared.internal:
            if value in (None, "", 0, False, [], {}):
                continue
            raise bad_request(f"{name} is not a field of {entity_type.__name__}")
        if declared.writable:
            values[declared.field] = parse(declared, value, entity=entity_type.__name__)
    return values


def patched_values(entity: Entity, patch: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a merge patch (RFC 7386) changes, by field name.

    Raises:
        ApiError: A value breaks the rules, or a name is unknown.
    """
    known = attributes_of(type(entity))
    merged: dict[str, Any] = {}
    for name, value in patch.items():
        declared = known.get(name)
        is_map = declared is not None and declared.kind in {Kind.LABELS, Kind.ANNOTATIONS}
        if declared is not None and is_map and isinstance(value, dict):
            whole = {**getattr(entity, declared.field), **value}
            merged[name] = {key: text for key, text in whole.items() if text is not None}
        else:
            merged[name] = value
    return client_values(type(entity), merged)
