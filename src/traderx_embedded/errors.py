"""Errors of the embedded systems' command line.

Each message says what failed, where, what was seen and what to do; `__main__` prints it.
"""


class EmbeddedError(Exception):
    """Something the embedded systems cannot do.

    Attributes:
        exit_code: What the command line ends with.
    """

    exit_code = 1


class RefusedError(EmbeddedError):
    """Refused before the first effect: usage, platform, an unreadable or foreign state."""

    exit_code = 2


class BuildError(EmbeddedError):
    """The control plane's programs could not be built; nothing half-made is left."""


class NotStartedError(EmbeddedError):
    """The system refused what is needed to start: space, a file, a process."""


class NotReadyError(EmbeddedError):
    """Something that was started did not become ready before its deadline."""


class LeftoverError(EmbeddedError):
    """Processes of a state directory are still there after they were killed."""
