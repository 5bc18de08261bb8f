"""The tree of errors. A subclass exists only where someone catches it.

GateError
├── ConfigurationError    the user's input: usage, policy, catalogue, unit, kubeconfig
├── RefusedError          a precondition does not hold, nothing was changed
├── UnreachableError      a system we depend on does not answer, or not as itself
├── KubernetesError       the Kubernetes API answered with an error
│   └── NotFoundError     the object does not exist
├── ConfigHubError        ConfigHub answered with an error
├── NotReachedError       a wait ended without its condition
├── DeliveryError         a deployment stopped; says where and what was not done
└── EvidenceError         evidence is missing, void or tampered with

Exit codes: the first three are 2 as long as nothing was changed, EvidenceError is 3, the rest 1.
"""

import contextlib
from collections.abc import Iterator


class GateError(Exception):
    """Anything this project reports to its user in one or two lines."""


class ConfigurationError(GateError):
    """The user's input is wrong: an option, a policy, the catalogue, a unit, a kubeconfig."""


class RefusedError(GateError):
    """A precondition does not hold; nothing was changed."""


class UnreachableError(GateError):
    """A system does not answer, or what answers is not that system."""


class KubernetesError(GateError):
    """The Kubernetes API answered with an error.

    Attributes:
        status: HTTP status, 0 where there was none.
        reason: The `reason` of the Status object, for instance `Forbidden`.
    """

    def __init__(self, message: str, *, status: int = 0, reason: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason


class NotFoundError(KubernetesError):
    """The object does not exist."""


class ConfigHubError(GateError):
    """ConfigHub answered with an error.

    Attributes:
        status: HTTP status.
        request_id: ConfigHub's `X-Request-Id`, for its operators.
    """

    def __init__(self, message: str, *, status: int, request_id: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.request_id = request_id


class NotReachedError(GateError):
    """A wait ended, by its deadline or because it was hopeless; says the last state seen."""


class DeliveryError(GateError):
    """A deployment stopped at a service."""


class EvidenceError(GateError):
    """Evidence is missing, void or tampered with."""


@contextlib.contextmanager
def before_the_first_effect() -> Iterator[None]:
    """Turn an error that a system answers into `RefusedError`: nothing was changed yet."""
    try:
        yield
    except (KubernetesError, ConfigHubError) as error:
        raise RefusedError(str(error)) from error
