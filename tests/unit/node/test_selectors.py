import pytest

from traderx_embedded.kubernetes.node import selector
from traderx_embedded.kubernetes.node.selector import SelectorError

LABELS = {"app": "web", "tier": "front"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", True),
        ("app=web", True),
        ("app==web,tier=front", True),
        ("app=web,tier=back", False),
        ("app!=web", False),
        ("other!=web", True),
        ("app in (api, web), tier notin (back)", True),
        ("app notin (web)", False),
        ("app", True),
        ("!app", False),
        ("other=", False),
    ],
)
def test_terms(text: str, expected: object) -> None:
    """All terms of a selector have to hold."""
    assert selector.parse(text)(LABELS) is expected


@pytest.mark.parametrize("text", ["a==b==c", "a in b", "a in (b"])
def test_malformed_term_is_quoted(text: str) -> None:
    """A term that cannot be read is an error that quotes it."""
    with pytest.raises(SelectorError, match="unable to parse requirement: 'a"):
        selector.parse(text)
