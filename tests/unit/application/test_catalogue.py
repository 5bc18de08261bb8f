import pytest

from traderx_gate import application
from traderx_gate.application import Application
from traderx_gate.errors import ConfigurationError

SERVICE = """
[[service]]
slug = "{slug}"
layer = "data"
order = {order}
units = ["{slug}-deployment"]
depends_on = {needs}
[service.health]
port = 1
method = "GET"
path = "/"
status = 200
body_contains = "x"
"""
HEAD = """
shared_units = ["namespace"]
[[environment]]
name = "base"
namespace = "traderx-base"
"""


def catalogue(**needs: list[str]) -> str:
    """A catalogue of services and what they need."""
    services = [
        SERVICE.format(slug=slug, order=order, needs=others).replace("'", '"')
        for order, (slug, others) in enumerate(needs.items())
    ]
    return HEAD + "".join(services)


def read(text: str) -> Application:
    """Read a catalogue."""
    return Application.from_toml(text, source="c.toml")


def test_waves_of_ours() -> None:
    """What needs nothing comes first, side by side; trade-service, which needs most, last."""
    waves = [[service.slug for service in wave] for wave in application.load().waves()]
    assert waves == [
        ["database", "reference-data", "trade-feed", "people-service", "web-gui"],
        ["account-service", "position-service", "trade-processor"],
        ["trade-service"],
    ]


def test_environments_of_ours() -> None:
    """Each environment is cloned from the one before it, and has a namespace of its own (D13)."""
    found = [(e.name, e.upstream, e.namespace) for e in application.load().environments]
    assert found == [
        ("base", "", "traderx-base"),
        ("dev", "base", "traderx-dev"),
        ("staging", "dev", "traderx-staging"),
        ("prod", "staging", "traderx-prod"),
    ]


def test_final_units_are_optional() -> None:
    """A catalogue without units to be applied last is read as one that has none."""
    assert read(catalogue(a=[])).final_units == ()


def test_waves() -> None:
    """A service comes after all it needs, and not later than it has to."""
    waves = read(catalogue(d=["b", "c"], b=["a"], c=["a"], a=[])).waves()
    assert [[s.slug for s in wave] for wave in waves] == [["a"], ["b", "c"], ["d"]]


def test_circle() -> None:
    """Services that need each other are refused, naming them."""
    with pytest.raises(ConfigurationError, match=r"circle: .*a.*b"):
        read(catalogue(a=["b"], b=["a"]))


def test_unknown_dependency() -> None:
    """A dependency that is no service is refused, naming file, service and key."""
    with pytest.raises(ConfigurationError, match=r"c\.toml: service a: depends_on: .*'x'"):
        read(catalogue(a=["x"]))


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ('slug = "a"', "", "slug"),
        ("order = 0", 'order = "0"', "order"),
        ('layer = "data"', 'layer = "cellar"', "layer"),
        ("port = 1", "port = 0", "port"),
        ("status = 200", "status = 200\ncolour = 1", "colour"),
        ('body_contains = "x"', "", "body_contains"),
    ],
)
def test_malformed(before: str, after: str, words: str) -> None:
    """What is missing, mistyped or unknown is named with the file and the key."""
    text = catalogue(a=[])
    assert before in text
    with pytest.raises(ConfigurationError, match=rf"c\.toml.*{words}"):
        read(text.replace(before, after))


def test_no_toml() -> None:
    """What is not TOML is refused, naming the file."""
    with pytest.raises(ConfigurationError, match=r"c\.toml"):
        read("[[service")


@pytest.mark.parametrize(
    ("kind", "name", "near"),
    [("service", "acount-service", "account-service"), ("environment", "devv", "dev")],
)
def test_nearest_name(kind: str, name: str, near: str) -> None:
    """An unknown name is refused with the nearest known one."""
    with pytest.raises(ConfigurationError, match=f"{name}.*did you mean {near}"):
        getattr(application.load(), kind)(name)
