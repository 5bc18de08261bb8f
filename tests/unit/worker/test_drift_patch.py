"""What changed in the cluster is written into the unit's data, and nothing else is."""

from collections.abc import Mapping
from typing import Any

import pytest
import yaml
from hypothesis import assume, example, given
from hypothesis import strategies as st

from traderx_gate.kube import ObjectRef
from traderx_gate.worker.drift_patch import patched

Json = dict[str, Any]
DATA = b"""\
# the web tier
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: n}  # theirs
spec:
  replicas: 2   # two are enough
  template:
    spec:
      containers:
      - name: main
        image: "web:1"
        env:
        - {name: A, value: '1'}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: c, namespace: n}
data:
  text: |
    one
  other: x  # kept
"""
WEB, MAP = (ObjectRef.of(body) for body in yaml.safe_load_all(DATA))


def live() -> dict[ObjectRef, Json]:
    """Return the objects as the cluster has them, with defaults that the unit does not name."""
    web, config = yaml.safe_load_all(DATA)
    web["spec"]["progressDeadlineSeconds"] = 600
    web["spec"]["template"]["spec"]["containers"][0]["imagePullPolicy"] = "Always"
    return {WEB: web, MAP: config}


def after(data: bytes, before: Mapping[ObjectRef, Json], now: Mapping[ObjectRef, Json]) -> bytes:
    """Return the data with what changed."""
    return patched(data, ObjectRef.of, before=before, after=now)


def test_scalar_is_cut_in() -> None:
    """A scaled deployment changes one number of the text; comments and quotes stay."""
    now = live()
    now[WEB]["spec"]["replicas"] = 5
    assert after(DATA, live(), now) == DATA.replace(b"replicas: 2 ", b"replicas: 5 ")


def test_added_key_leaves_the_rest() -> None:
    """An annotation that somebody added comes into the unit; every other line stays."""
    now = live()
    now[WEB]["metadata"]["annotations"] = {"a": "b"}
    found = after(DATA, live(), now)
    assert next(yaml.safe_load_all(found))["metadata"]["annotations"] == {"a": "b"}
    assert b"# the web tier" in found
    assert found.split(b"\n")[4:] == DATA.split(b"\n")[4:]


def test_item_at_the_end_and_removed_key() -> None:
    """An appended variable and a removed key come in, no default does; other documents stay."""
    now = live()
    container = now[WEB]["spec"]["template"]["spec"]["containers"][0]
    container["env"].append({"name": "B", "value": "2"})
    del now[WEB]["spec"]["replicas"]
    found = after(DATA, live(), now)
    web, _ = yaml.safe_load_all(found)
    (main,) = web["spec"]["template"]["spec"]["containers"]
    assert main["env"] == [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]
    assert "imagePullPolicy" not in main
    assert "replicas" not in web["spec"]
    assert found[found.index(b"---") :] == DATA[DATA.index(b"---") :]


def test_block_text_is_replaced() -> None:
    """A text in block form takes the live one."""
    now = live()
    now[MAP]["data"]["text"] = "two\nlines\n"
    found = after(DATA, live(), now)
    assert list(yaml.safe_load_all(found))[1]["data"] == {"text": "two\nlines\n", "other": "x"}


def test_newer_head_keeps_its_own_change() -> None:
    """What the unit changed since the apply stays where the cluster did not change it."""
    newer = DATA.replace(b"web:1", b"web:2")
    now = live()
    now[WEB]["spec"]["replicas"] = 5
    assert after(newer, live(), now) == newer.replace(b"replicas: 2 ", b"replicas: 5 ")


def test_without_a_state_what_is_named_is_compared() -> None:
    """Of an object that was never applied from here, only what the unit names is taken over."""
    now = live()
    now[WEB]["spec"]["replicas"] = 5
    assert after(DATA, {}, now) == DATA.replace(b"replicas: 2 ", b"replicas: 5 ")


def test_gone_object_stays() -> None:
    """An object that is gone from the cluster stays in the unit."""
    assert after(DATA, live(), {MAP: live()[MAP]}) == DATA


@pytest.mark.parametrize(
    "head",
    ["--- {apiVersion: v1, kind: ConfigMap, metadata: {name: c, namespace: n}, data: &a {}}"],
)
def test_document_behind_dashes(head: str) -> None:
    """A document on the line of its dashes is written anew where it has to be."""
    before = yaml.safe_load(head)
    now = {**before, "data": {"k": "v"}}
    found = after(head.encode(), {MAP: before}, {MAP: now})
    assert list(yaml.safe_load_all(found)) == [now]


SCALARS = st.none() | st.booleans() | st.integers() | st.text(max_size=8)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=12,
)


@given(old=VALUES, new=VALUES, style=st.sampled_from([None, True, False]))
@example(old=None, new={"\x85": None}, style=None)
@example(old="a", new="\x85", style=None)
def test_any_change_comes_through(old: Any, new: Any, style: Any) -> None:
    """Where the unit is what was applied, it is what is live afterwards, whatever changed."""
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "namespace": "n"}}
    before, now = {**body, "data": {"k": old}}, {**body, "data": {"k": new}}
    text = yaml.safe_dump(before, default_flow_style=style, allow_unicode=True)
    assume(yaml.safe_load(text) == before)  # the library writes NEL so that it is none
    found = after(text.encode(), {MAP: before}, {MAP: now})
    assert list(yaml.safe_load_all(found)) == [now]
