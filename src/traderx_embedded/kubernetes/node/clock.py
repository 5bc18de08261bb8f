"""Now, in the three forms that Kubernetes writes it."""

from datetime import UTC, datetime


def now() -> datetime:
    """Return the time of day, in UTC."""
    return datetime.now(UTC)


def seconds(moment: datetime) -> str:
    """Write a metav1.Time."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def micros(moment: datetime) -> str:
    """Write a metav1.MicroTime."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def nanos(moment: datetime) -> str:
    """Write the time stamp of a log line."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%f000Z")


def parse(text: str) -> datetime:
    """Read any of them."""
    return datetime.fromisoformat(text)
