"""The Accept header as Spring reads it: most specific first, then by quality, then as written."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class MediaType:
    """A media type or range of an Accept header."""

    type: str
    subtype: str
    quality: float = 1.0

    def includes(self, other: str) -> bool:
        """Whether a concrete type falls into this range."""
        kind, _, subtype = other.partition("/")
        return self.type in {"*", kind} and self.subtype in {"*", subtype}

    @property
    def is_concrete(self) -> bool:
        """Whether it names one type."""
        return "*" not in {self.type, self.subtype}

    def __str__(self) -> str:
        """Return `type/subtype`."""
        return f"{self.type}/{self.subtype}"


def parse_accept(header: str | None) -> tuple[MediaType, ...]:
    """Return what a client accepts, best first; no header accepts everything."""
    if not header:
        return (MediaType("*", "*"),)
    parsed = [_parse(item) for item in header.split(",")]
    return tuple(sorted(parsed, key=lambda m: (m.type == "*", m.subtype == "*", -m.quality)))


def is_acceptable(accepted: tuple[MediaType, ...], media_type: str) -> bool:
    """Whether one of the ranges includes the type."""
    return any(media.includes(media_type) for media in accepted)


def text_type(accepted: tuple[MediaType, ...]) -> str:
    """Return the type under which Spring labels a bare text, whatever the text is."""
    best = accepted[0]
    if not best.is_concrete:
        return "text/plain;charset=UTF-8"
    return f"{best};charset=UTF-8" if best.type == "text" else str(best)


def _parse(item: str) -> MediaType:
    name, *parameters = (part.strip() for part in item.split(";"))
    kind, _, subtype = name.lower().partition("/")
    quality = 1.0
    for parameter in parameters:
        key, _, value = parameter.partition("=")
        if key.strip() == "q":
            try:
                quality = float(value)
            except ValueError:
                quality = 0.0
    return MediaType(kind, subtype, quality)
