import json
from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from traderx_embedded.confighub import predicate
from traderx_embedded.confighub.attributes import Kind, attributes_of
from traderx_embedded.confighub.entities import (
    RELATIONS,
    BridgeWorker,
    Entity,
    Filter,
    Link,
    Revision,
    Space,
    Target,
    Unit,
    UnitEvent,
)
from traderx_embedded.confighub.where import WhereError

ONE = "11111111-1111-4111-8111-111111111111"
TWO = "22222222-2222-4222-8222-222222222222"
ORGANIZATION = "33333333-3333-4333-8333-333333333333"
TIME = "2026-01-02T03:04:05.000006Z"

SPACE = Space(
    id=ONE,
    organization_id=ORGANIZATION,
    created_at=TIME,
    updated_at=TIME,
    slug="traderx-dev",
    labels={"project": "traderx"},
)
UPSTREAM = Unit(
    id=TWO,
    organization_id=ORGANIZATION,
    created_at=TIME,
    updated_at=TIME,
    space_id=ONE,
    slug="trade-service",
    toolchain_type="Kubernetes/YAML",
    head_revision_num=5,
)
UNIT = replace(
    UPSTREAM,
    id=ORGANIZATION,
    slug="Trade-Service",
    labels={"app.kubernetes.io/name": "trade", "tier": "back_end"},
    head_revision_num=3,
    live_revision_num=2,
    upstream_unit_id=TWO,
    upstream_revision_num=4,
    apply_gates={"t/f": True},
    approved_by=(ONE,),
)
ENTITIES: Mapping[str, Entity] = {ONE: SPACE, TWO: UPSTREAM}


def _related(entity_type: type[Entity], identifier: str) -> Entity | None:
    found = ENTITIES.get(identifier)
    return found if isinstance(found, entity_type) else None


def holds(text: str, entity: Entity = UNIT) -> bool:
    """Tell whether a where text holds for an entity."""
    return predicate.bind(text, type(entity))(entity, _related)


MEANINGS = {
    "Slug = 'Trade-Service'": True,
    "Slug = 'trade-service'": False,
    "Slug != 'x'": True,
    "Slug > 'Trade'": True,
    "Slug IN ('a', 'Trade-Service')": True,
    "Slug NOT IN ('a', 'Trade-Service')": False,
    "Slug LIKE 'Trade%'": True,
    "Slug LIKE 'trade%'": False,
    "Slug LIKE 'Trade'": False,
    "Slug ILIKE 'trade%'": True,
    "Slug NOT LIKE 'Trade%'": False,
    "Slug ~~ '%Service'": True,
    "Slug !~~ '%Service'": False,
    "Slug LIKE 'Trade_Service'": True,
    "Slug LIKE 'Trade.Service'": False,
    "Slug LIKE '%%%%%%%%'": True,
    "Slug ~ '^Trade-S'": True,
    "Slug ~ 'service'": False,
    "Slug ~* 'service$'": True,
    "Slug !~ 'service'": True,
    "Slug !~* 'service'": False,
    "HeadRevisionNum = 3": True,
    "HeadRevisionNum > LiveRevisionNum": True,
    "HeadRevisionNum IN (1, 2)": False,
    "HeadRevisionNum >= 3 AND HeadRevisionNum <= 3": True,
    "HeadRevisionNum < 3": False,
    "Labels.tier = 'back_end'": True,
    "Labels.app.kubernetes.io/name IN ('trade')": True,
    "Labels.absent = 'x'": False,
    "Labels.absent != 'x'": False,
    "LEN(Labels) = 2": True,
    "LEN(ApplyGates) > 0": True,
    "LEN(ApprovedBy) = 0": False,
    "ApplyGates.t/f = true": True,
    "ApplyGates.other = false": False,
    f"ApprovedBy ? '{ONE}'": True,
    f"ApprovedBy ? '{TWO}'": False,
    f"UpstreamUnitID = '{TWO}'": True,
    f"UpstreamUnitID != '{ONE}'": True,
    f"SpaceID = '{ONE.upper()}'": True,
    f"TargetID = '{ONE}'": False,
    f"TargetID != '{ONE}'": False,
    "Space.Slug = 'traderx-dev'": True,
    "Space.Labels.project = 'traderx'": True,
    "Unit.Slug = 'Trade-Service'": True,
    "Unit.UpstreamRevisionNum < UpstreamUnit.HeadRevisionNum": True,
    "UpstreamUnit.Slug = 'trade-service'": True,
    "Target.Slug = 'x'": False,
    "Target.Slug != 'x'": False,
    "CreatedAt > '2026-01-01T00:00:00Z'": True,
    "CreatedAt = '2026-01-02T04:04:05.000006+01:00'": True,
    "CreatedAt < '2026-01-02T03:04:05Z'": False,
    "ToolchainType = 'Kubernetes/YAML'": True,
}


@pytest.mark.parametrize(("text", "expected"), MEANINGS.items(), ids=MEANINGS.keys())
def test_means(text: str, expected: bool) -> None:  # noqa: FBT001 - a table of truth values
    """A relation holds exactly when the database behind ConfigHub would say so."""
    assert holds(text) is expected


MEANINGLESS = [
    "Nothing = 'x'",
    "slug = 'x'",
    "Data = 'x'",
    "LiveState = 'x'",
    "ContentHash = 1",
    "MutationSources = 'x'",
    "Version = 1",
    "Drift = 'Drifted'",
    "id = 'x'",
    "organization_id = 'x'",
    "__class__ = 'x'",
    "Slug.x = 'y'",
    "Labels = 'x'",
    "Labels. = 'x'",
    "Target.Parameters = 'x'",
    "Target.BridgeWorker.Secret = 'x'",
    "Nothing.Slug = 'x'",
    "Slug = 1",
    "Slug = true",
    "Slug ? 'x'",
    "Slug = HeadRevisionNum",
    "Slug LIKE DisplayName",
    "Slug IN ('a', 1)",
    "HeadRevisionNum = '1'",
    "HeadRevisionNum LIKE '1'",
    "HeadRevisionNum = true",
    "UnitID = 'x'",
    f"UnitID > '{ONE}'",
    f"UnitID IN ('{ONE}')",
    "CreatedAt > 'yesterday'",
    "CreatedAt > '9999-12-31T23:59:59-23:00'",
    "CreatedAt LIKE '2026%'",
    "ApplyGates.t/f = 'true'",
    "ApprovedBy = 'x'",
    "LEN(Slug) > 1",
    "LEN(Labels) > 'x'",
    "Slug ~ '('",
    "Slug ~ '(a+)+$'",
    "Slug ~ '(a|a)*$'",
    "Slug ~ 'a*b*c*d*'",
    "Slug ~ '(?=x)'",
    "Slug ~ '[[:alpha:]]'",
    "Slug ~ 'a{99999999999}'",
    "Slug LIKE '%a%a%a%a%a%'",
]


@pytest.mark.parametrize("text", MEANINGLESS)
def test_refuses(text: str) -> None:
    """A name outside the allow-list, or a value the attribute cannot have, is refused."""
    with pytest.raises(WhereError, match=r"^where: .+"):
        holds(text)


def test_worker_secret_is_out_of_reach() -> None:
    """No relation reads a worker's secret, directly or through what points to a worker."""
    for entity_type in RELATIONS:
        reachable = attributes_of(entity_type)
        assert all(not a.filterable for name, a in reachable.items() if name == "Secret")
    with pytest.raises(WhereError, match="no filterable attribute Secret"):
        predicate.bind("BridgeWorker.Secret LIKE 'ch_%'", Target)


@pytest.mark.parametrize(
    "text", ["Slug ~ 'a*a*b'", "Slug LIKE '%a%a%a%b'", "Slug ~ 'a*.*b'", "Slug ILIKE '%a%a%a%b'"]
)
def test_patterns_cannot_run_away(text: str) -> None:
    """The worst pattern that is accepted comes to an end on the longest slug."""
    assert not holds(text, replace(UNIT, slug="a" * 128))


LISTED = {
    Unit: """ApplyGates ApprovedBy CreatedAt DisplayName HeadRevisionNum Labels LastActionAt
        LastAppliedRevisionNum LastChangeDescription LiveRevisionNum OrganizationID
        PreviousLiveRevisionNum SetID Slug SpaceID TargetID ToolchainType UnitID UpdatedAt
        UpstreamOrganizationID UpstreamRevisionNum UpstreamSpaceID UpstreamUnitID""",
    Space: "CreatedAt DisplayName Labels OrganizationID Slug SpaceID UpdatedAt",
    Revision: """ApplyGates ApprovedBy CreatedAt Description LiveAt RevisionID RevisionNum Source
        UnitID UpdatedAt UserAgent UserID SpaceID OrganizationID""",
    UnitEvent: """Action BridgeWorkerID CreatedAt QueuedOperationID Result RevisionNum StartedAt
        Status TerminatedAt UnitEventID UnitID UpdatedAt SpaceID OrganizationID""",
    Filter: """CreatedAt DisplayName FilterID From FromSpaceID Labels ResourceType Slug SpaceID
        UpdatedAt Where WhereData""",
    Target: "BridgeWorkerID DisplayName Labels ProviderType Slug SpaceID TargetID ToolchainType",
    Link: "FromUnitID ToUnitID ToSpaceID LinkID Slug Labels",
    BridgeWorker: "BridgeWorkerID Labels Slug UserID",
}


@pytest.mark.parametrize("entity_type", LISTED, ids=lambda item: item.__name__)
def test_documented_attributes_are_filterable(entity_type: type[Entity]) -> None:
    """Every attribute that ConfigHub documents as filterable is."""
    declared = attributes_of(entity_type)
    missing = [n for n in LISTED[entity_type].split() if n not in declared]
    assert missing == []
    assert [n for n in LISTED[entity_type].split() if not declared[n].filterable] == []


@given(st.text(st.characters(exclude_characters="'\\", exclude_categories=["Cs"]), max_size=20))
def test_quoted_text_is_only_text(text: str) -> None:
    """Whatever stands in quotes is compared, never interpreted."""
    assert holds(f"Slug = '{text}'") is (text == UNIT.slug)
    assert holds(f"Slug = '{text}'", replace(UNIT, slug=text))


@given(st.integers(0, 9), st.sampled_from(["=", "!=", "<", ">", "<=", ">="]))
def test_integers_compare_as_integers(number: int, sign: str) -> None:
    """A comparison of a number is that of arithmetic."""
    python = {"=": "=="}.get(sign, sign)
    expected = bool(eval(f"{UNIT.head_revision_num} {python} {number}"))  # noqa: S307 - own digits
    assert holds(f"HeadRevisionNum {sign} {number}") is expected


def test_stored_form_is_complete() -> None:
    """An entity comes back from its stored form as it was, for every kind of attribute."""
    stored = json.loads(json.dumps(UNIT.stored()))
    assert Unit.from_stored(stored).to_json() == json.loads(json.dumps(UNIT.to_json()))
    assert {a.kind for a in attributes_of(Unit).values()} >= {Kind.UUIDS, Kind.FLAGS, Kind.TIME}
