"""Policies and the claim catalogue: what is required, and plain words for what is malformed."""

import pytest

from traderx_gate.errors import ConfigurationError
from traderx_gate.verdict import ClaimCatalogue, ClaimKey, Policy

CLAIM = (
    '[[claim]]\nname="a.b"\nsuite="validate_deployment"\ntitle="t"\nper="service"\nmin_samples=1\n'
)
CATALOGUE = ClaimCatalogue.from_toml(CLAIM, source="claims.toml", services=("x", "y"))
GOOD = (
    'schema = 1\nname = "n"\nkind = "validate"\nmax_age_s = 60\nclaims = ["a.*"]\nwrites = true\n'
)


def test_required_claims_are_policy_times_catalogue() -> None:
    """A per-service claim is required of every service of the catalogue."""
    policy = Policy.from_toml(GOOD, source="p.toml", catalogue=CATALOGUE)
    assert set(map(str, policy.required)) == {"a.b[x]", "a.b[y]"}


def test_claims_that_write_are_required_only_where_asked_for() -> None:
    """A policy that does not opt in requires no claim that leaves something behind."""
    writing = CLAIM.replace("a.b", "a.w") + "writes = true\n"
    catalogue = ClaimCatalogue.from_toml(CLAIM + writing, source="c", services=("x",))
    reading = GOOD.replace("writes = true", "writes = false")
    required = [
        set(map(str, Policy.from_toml(text, source="p", catalogue=catalogue).required))
        for text in (GOOD, reading)
    ]
    assert required == [{"a.b[x]", "a.w[x]"}, {"a.b[x]"}]


@pytest.mark.parametrize("pattern", ["a.w", "*.w", "a.w*"])
def test_what_is_left_out_is_not_required(pattern: str) -> None:
    """A policy leaves out exactly what it says, by name or pattern."""
    catalogue = ClaimCatalogue.from_toml(
        CLAIM + CLAIM.replace("a.b", "a.w"), source="c", services=("x",)
    )
    text = f'{GOOD}left_out = ["{pattern}"]\n'
    policy = Policy.from_toml(text, source="p", catalogue=catalogue)
    assert set(map(str, policy.required)) == {"a.b[x]"}


def test_policy_hash_covers_text_and_catalogue() -> None:
    """Evidence gathered before a service was added does not fit the policy after it."""
    more = ClaimCatalogue.from_toml(CLAIM, source="c", services=("x", "y", "z"))
    hashes = {
        Policy.from_toml(GOOD, source="p", catalogue=CATALOGUE).sha256,
        Policy.from_toml(GOOD, source="p", catalogue=more).sha256,
        Policy.from_toml(GOOD + "#", source="p", catalogue=CATALOGUE).sha256,
    }
    assert len(hashes) == 3


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("schema = ", "p.toml: not TOML"),
        (GOOD.replace("schema = 1", "schema = 2"), "reads schema 1"),
        (GOOD.replace('name = "n"\n', ""), "p.toml: name is missing"),
        (GOOD.replace('"validate"', '"validation"'), "kind must be one of validate"),
        (GOOD.replace("60", "true"), "max_age_s must be int"),
        (GOOD.replace("60", "0"), "max_age_s must be at least 1"),
        (GOOD.replace('["a.*"]', "[]"), "claims must be a list of strings"),
        (GOOD.replace("a.*", "a.c"), "'a.c' names no claim; did you mean a.b?"),
        (GOOD.replace("writes = true\n", ""), "writes is missing"),
        (GOOD + "extra = 1\n", "unknown key 'extra'"),
        (GOOD + 'left_out = ["a.c"]\n', "'a.c' names no claim; did you mean a.b?"),
        (GOOD + "left_out = [1]\n", "left_out must be a list of strings"),
        (GOOD + '[[accepted_risk]]\nclaim = "a.b[z]"\n', "a.b[z] is not required"),
        (GOOD + '[[accepted_risk]]\nclaim = "nonsense"\n', "is no claim key"),
        (GOOD + '[[accepted_risk]]\nclaim = "a.b[x]"\nsignature = "("\n', "no regular expression"),
        (
            GOOD + '[[accepted_risk]]\nclaim = "a.b[x]"\nsignature = "."\nexpires = "soon"\n',
            "p.toml: accepted_risk 1: expires must be date",
        ),
    ],
)
def test_malformed_policy_is_refused_with_its_key(text: str, said: str) -> None:
    """A malformed policy is refused in one line that names file and key."""
    with pytest.raises(ConfigurationError) as refused:
        Policy.from_toml(text, source="p.toml", catalogue=CATALOGUE)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "holds no [[claim]]"),
        (CLAIM + CLAIM, "claim a.b stands there twice"),
        (CLAIM.replace('"a.b"', '"a.b[x]"'), "must not have a service"),
        (CLAIM.replace('"service"', '"pod"'), "per must be one of service, environment"),
        (CLAIM.replace("title", "titel"), "title is missing"),
    ],
)
def test_malformed_catalogue_is_refused(text: str, said: str) -> None:
    """A malformed catalogue is refused in one line that names the claim."""
    with pytest.raises(ConfigurationError) as refused:
        ClaimCatalogue.from_toml(text, source="claims.toml", services=("x",))
    assert said in str(refused.value)


@pytest.mark.parametrize("text", ["a.b", "a.b[trade-service]"])
def test_claim_key_round_trips(text: str) -> None:
    """A key reads back as it was written."""
    assert str(ClaimKey.parse(text)) == text
