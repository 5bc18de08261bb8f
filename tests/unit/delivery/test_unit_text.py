"""Edits of a unit's text: one value is another one, all other bytes are as they were."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from traderx_gate.application import unit_data
from traderx_gate.application.catalogue import load, unit_slugs
from traderx_gate.delivery.unit_text import with_value
from traderx_gate.errors import ConfigurationError
from traderx_gate.kube import parse_manifests

SELECTOR = ("spec", "selector", "app")
WORDS = st.from_regex(r"[a-z]([a-z-]{0,20}[a-z])?", fullmatch=True).filter(
    lambda word: word not in {"y", "n", "yes", "no", "on", "off", "true", "false", "null"}
)
WRITTEN = st.sampled_from(
    [
        "spec:\n  selector:\n    app: {}\n",
        "spec:\n  selector:\n    app: {} # the pods\n",
        "spec:\n  selector: {{tier: x, app: '{}'}}\n",
        'spec: {{"selector": {{"app": "{}"}}, é: ö}}\n',
        "x: 🚀\nspec:\n  selector:\n    # app: {0}\n    app: {0}\n    other: {0}\n",
        "spec:\r\n  selector:\r\n    app: {}\r\n",
    ]
)


@given(written=WRITTEN, old=WORDS, new=WORDS)
def test_edit_and_edit_back_give_the_same_bytes(written: str, old: str, new: str) -> None:
    """However it is written, another value is read afterwards, and the old one gives the bytes."""
    head = "kind: Service\napiVersion: v1\nmetadata: {name: s}\n"
    data = (head + written.format(old)).encode()
    edited = with_value(data, "Service", SELECTOR, new, source="unit s")
    (body,) = parse_manifests(edited.decode(), source="edited")
    assert body["spec"]["selector"]["app"] == new
    assert with_value(edited, "Service", SELECTOR, old, source="unit s") == data


SERVICES = [slug for slug in unit_slugs(load()) if slug.endswith("-service-service")]


@pytest.mark.parametrize("slug", SERVICES)
def test_edits_one_line_of_the_units_that_come_with_us(slug: str) -> None:
    """Of a real unit one line changes, and nothing but the value in it."""
    before = unit_data(slug)
    after = with_value(before, "Service", SELECTOR, "other", source=slug)
    old = slug.removesuffix("-service").encode()
    lines = zip(before.splitlines(), after.splitlines(), strict=True)
    assert [pair for pair in lines if pair[0] != pair[1]] == [
        (b"    app: " + old, b"    app: other")
    ]


REFUSED = {
    "kind: Service\nspec: {selector: [a]}\n": "is no text",
    "kind: Service\nspec: {}\n": "is no text",
    "kind: Deployment\n": "holds 0 objects of kind Service",
    "kind: Service\n---\nkind: Service\n": "holds 2 objects of kind Service",
    "kind: Service\nlabels: &l {app: x}\nspec: {selector: *l}\n": "cannot be changed to 'y' alone",
    'kind: Service\nspec: {selector: {app: "\\x78z"}}\n': "is not written as it reads",
    "kind: [Service\n": "unit s: ",
}


@pytest.mark.parametrize("text", REFUSED)
def test_what_cannot_be_edited_alone_is_refused(text: str) -> None:
    """No text, no one object, an alias, an escape: said so, never half edited."""
    with pytest.raises(ConfigurationError) as raised:
        with_value(text.encode(), "Service", SELECTOR, "y", source="unit s")
    assert REFUSED[text] in str(raised.value)


def test_same_value_is_no_edit() -> None:
    """Where the value is there already the bytes are the same, however it is written."""
    data = b"kind: Service\nspec: {selector: {app: 'x'}}\n"
    assert with_value(data, "Service", SELECTOR, "x", source="unit s") is data
