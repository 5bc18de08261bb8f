"""The one client for ConfigHub's REST API. Verbs in alphabetical order of `cub`'s nouns."""

import base64
import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, Self, TypeVar, cast

import requests
from requests.adapters import BaseAdapter, HTTPAdapter
from urllib3.exceptions import ReadTimeoutError
from urllib3.util import Retry

from traderx_gate.confighub.credentials import authorization
from traderx_gate.confighub.entities import (
    Conflict,
    Filter,
    Operation,
    Revision,
    Space,
    Target,
    Trigger,
    Unit,
    UnitEvent,
    UnitSet,
    Worker,
)
from traderx_gate.confighub.generations import Generation
from traderx_gate.errors import ConfigHubError, UnreachableError

CONNECT_TIMEOUT_S = 5.0
READ_TIMEOUT_S = 10.0
TOOLCHAIN = "Kubernetes/YAML"
MERGE_PATCH = "application/merge-patch+json"

Arguments = ParamSpec("Arguments")
Answer = TypeVar("Answer")


def _parsed(
    verb: "Callable[Concatenate[ConfigHub, Arguments], Answer]",
) -> "Callable[Concatenate[ConfigHub, Arguments], Answer]":
    """Turn an answer that lacks what we read of it into `UnreachableError`."""

    @functools.wraps(verb)
    def parse(self: "ConfigHub", *args: Arguments.args, **kwargs: Arguments.kwargs) -> Answer:
        try:
            return verb(self, *args, **kwargs)
        except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
            raise UnreachableError(
                f"ConfigHub {self.url}: its answer to {verb.__name__.replace('_', ' ')} is not of "
                f"the known form ({error}); is this a ConfigHub this version knows?"
            ) from error

    return cast("Callable[Concatenate[ConfigHub, Arguments], Answer]", parse)


class _RepeatedReads(Retry):
    """Repeats what was refused or cut off; a silent server has had its time."""

    def increment(self, *args: Any, **kwargs: Any) -> Self:
        """Count an attempt; raise what ends them."""
        if isinstance(error := kwargs.get("error"), ReadTimeoutError):
            raise error
        return super().increment(*args, **kwargs)


class ConfigHub:
    """A ConfigHub server. Not shared between threads.

    Every method raises `UnreachableError` when nothing, or something else, answers, and
    `ConfigHubError` with the server's message when it refuses. Only reads are repeated.
    """

    def __init__(self, url: str, authorization: str, *, carrier: BaseAdapter | None = None) -> None:
        """Return a client; `carrier` carries the requests, HTTP with repeated reads if left out."""
        self.url = url.rstrip("/")
        self._session = requests.Session()
        self._session.trust_env = False  # no proxy, no .netrc: exactly the address that was given
        self._session.headers["Authorization"] = authorization
        self._session.headers["User-Agent"] = "traderx-gate"
        reads = _RepeatedReads(
            total=2, backoff_factor=0.2, allowed_methods={"GET"}, redirect=0, raise_on_status=False
        )
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, carrier or HTTPAdapter(max_retries=reads))

    @classmethod
    def from_token_file(cls, url: str, path: Path) -> "ConfigHub":
        """Return a client with the token that a file holds (`credentials.authorization`).

        Raises:
            ConfigurationError: The file cannot be read, or its token is missing or has expired.
        """
        return cls(url, authorization(path))

    @classmethod
    def from_worker(cls, url: str, worker_id: str, secret: str) -> "ConfigHub":
        """Return a client that is logged in as a worker, as `cub auth login --as-worker` does.

        Raises:
            UnreachableError: Nothing answers, or id and secret do not belong together.
        """
        client = cls(url, "")
        body = {"worker_id": worker_id, "worker_secret": secret}
        token = client._request("POST", "/auth/worker", body=body, root="")["access_token"]
        client._session.headers["Authorization"] = f"Bearer {token}"
        return client

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    # Requests

    def _request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: object | None = None,
        content_type: str = "application/json",
        root: str = "/api",
    ) -> Any:
        try:
            response = self._session.request(
                method,
                f"{self.url}{root}{path}",
                params=query,
                json=body,
                headers={"Content-Type": content_type} if body is not None else {},
                timeout=(CONNECT_TIMEOUT_S, READ_TIMEOUT_S),
                allow_redirects=False,
            )
        except requests.Timeout as error:
            raise UnreachableError(
                f"ConfigHub {self.url} is silent: {method} {path} had no answer in "
                f"{READ_TIMEOUT_S:.0f} s; is --confighub its address?"
            ) from error
        except (requests.RequestException, UnicodeError) as error:
            cause = getattr(error.args[0], "reason", error) if error.args else error
            raise UnreachableError(
                f"ConfigHub {self.url} cannot be reached: {cause}; is --confighub its address?"
            ) from error
        return self._answer(method, path, response)

    def _answer(self, method: str, path: str, response: requests.Response) -> Any:
        request_id = response.headers.get("X-Request-Id", "")
        try:
            answer = response.json()
        except ValueError as error:
            start = " ".join(response.text[:60].split())
            raise UnreachableError(
                f"what answers at {self.url} is not ConfigHub: {method} {path} gave "
                f"{response.status_code} {response.headers.get('Content-Type', '')} {start!r}; "
                "is --confighub its address?"
            ) from error
        if response.status_code in {200, 207}:
            return answer
        message = answer.get("Message", "") if isinstance(answer, dict) else ""
        if response.status_code == 401:
            raise UnreachableError(
                f"ConfigHub {self.url} does not accept the token (401 {message}); "
                "it may be wrong or expired: log in again"
            )
        text = f"ConfigHub {self.url}: {method} {path}: {response.status_code} {message}".rstrip()
        if request_id:
            text += f" (request {request_id})"
        if response.status_code >= 500:
            raise UnreachableError(text)
        raise ConfigHubError(text, status=response.status_code, request_id=request_id)

    # Info

    @functools.cached_property
    def generation(self) -> Generation:
        """Which API the server speaks; asked once."""
        return Generation.of(self.info())

    def _unit(self, body: Mapping[str, Any], status: Mapping[str, Any] | None = None) -> Unit:
        return Unit.from_json(body, status=status, live=self.generation.live_objects)

    @_parsed
    def info(self) -> Mapping[str, Any]:
        """Return what the server says of itself."""
        return dict(self._request("GET", "/info"))

    # Filters

    @_parsed
    def filter_create(self, space: Space, slug: str, *, where: str) -> Filter:
        """Store a `where` over units."""
        body = {"Slug": slug, "From": "Unit", "Where": where}
        return Filter.from_json(self._request("POST", f"/space/{space.id}/filter", body=body))

    @_parsed
    def filter_list(self, space: Space) -> tuple[Filter, ...]:
        """Return the filters of a space."""
        found = self._request("GET", f"/space/{space.id}/filter")
        return tuple(Filter.from_json(item["Filter"]) for item in found or ())

    def filter_delete(self, item: Filter) -> None:
        """Delete a filter."""
        self._request("DELETE", f"/space/{item.space_id}/filter/{item.id}")

    # Functions

    @_parsed
    def function_do(
        self, unit: Unit, function: str, arguments: Mapping[str, str], *, change: str
    ) -> Unit:
        """Run a function on a unit's head; what it changes is a new head revision.

        Raises:
            ConfigHubError: The function failed; the unit is as it was.
        """
        body = {
            "CastStringArgsToScalars": True,
            "ChangeDescription": change,
            "FunctionInvocations": [
                {
                    "FunctionName": function,
                    "Arguments": [
                        {"ParameterName": name, "Value": value} for name, value in arguments.items()
                    ],
                }
            ],
        }
        path = f"/space/{unit.space_id}/function/invoke"
        found = self._request("POST", path, query={"unit_id": unit.id}, body=body)
        for item in found:
            if not item["Success"]:
                told = "; ".join(item.get("ErrorMessages") or ())
                raise ConfigHubError(f"{function} on unit {unit.slug}: {told}", status=400)
        return self.unit_get(unit)

    # Revisions

    @_parsed
    def revision_list(self, unit: Unit) -> tuple[Revision, ...]:
        """Return the revisions of a unit with who made them, oldest first."""
        path = f"/space/{unit.space_id}/unit/{unit.id}/revision"
        found = self._request("GET", path, query={"include": "UserID"})
        revisions = (
            Revision.from_json(item["Revision"], user=item.get("User")) for item in found or ()
        )
        return tuple(sorted(revisions, key=lambda revision: revision.number))

    # Sets

    @_parsed
    def set_create(self, space: Space, slug: str, *, labels: Mapping[str, str]) -> UnitSet:
        """Create a set of units."""
        body = {"Slug": slug, "Labels": dict(labels)}
        return UnitSet.from_json(self._request("POST", f"/space/{space.id}/set", body=body))

    @_parsed
    def set_list(self, space: Space) -> tuple[UnitSet, ...]:
        """Return the sets of a space; none of a server that knows no sets."""
        if not self.generation.has_sets:
            return ()
        found = self._request("GET", f"/space/{space.id}/set")
        return tuple(UnitSet.from_json(item["Set"]) for item in found or ())

    def set_delete(self, item: UnitSet) -> None:
        """Delete a set."""
        self._request("DELETE", f"/space/{item.space_id}/set/{item.id}")

    # Spaces

    @_parsed
    def space_annotate(self, space: Space, annotations: Mapping[str, str | None]) -> Space:
        """Set annotations of a space; None removes one, the others stay."""
        body = {"Annotations": dict(annotations)}
        path = f"/space/{space.id}"
        return Space.from_json(self._request("PATCH", path, body=body, content_type=MERGE_PATCH))

    @_parsed
    def space_create(self, slug: str, *, labels: Mapping[str, str]) -> Space:
        """Create a space."""
        body = {"Slug": slug, "DisplayName": slug, "Labels": dict(labels)}
        return Space.from_json(self._request("POST", "/space", body=body))

    def space_delete(self, space: Space) -> None:
        """Delete a space, which has to be empty."""
        self._request("DELETE", f"/space/{space.id}")

    @_parsed
    def space_find(self, slug: str) -> Space | None:
        """Return the space of this slug, None if there is none."""
        found = self._request("GET", "/space", query={"where": f"Slug = '{slug}'"})
        return Space.from_json(found[0]["Space"]) if found else None

    @_parsed
    def space_list(self, *, where: str) -> tuple[Space, ...]:
        """Return the spaces that a filter matches."""
        found = self._request("GET", "/space", query={"where": where})
        return tuple(Space.from_json(item["Space"]) for item in found or ())

    # Targets

    def target_delete(self, target: Target) -> None:
        """Delete a target, which no unit may use any more."""
        self._request("DELETE", f"/space/{target.space_id}/target/{target.id}")

    @_parsed
    def target_list(self, space: Space) -> tuple[Target, ...]:
        """Return the targets of a space."""
        found = self._request("GET", f"/space/{space.id}/target")
        return tuple(Target.from_json(item["Target"]) for item in found or ())

    # Triggers

    @_parsed
    def trigger_create(
        self, space: Space, slug: str, function: str, arguments: Mapping[str, int | str]
    ) -> Trigger:
        """Have a function look at every new revision of a space's units."""
        body = {
            "Slug": slug,
            "Event": "Mutation",
            "ToolchainType": TOOLCHAIN,
            "FunctionName": function,
            "Arguments": [{"ParameterName": name, "Value": v} for name, v in arguments.items()],
        }
        return Trigger.from_json(self._request("POST", f"/space/{space.id}/trigger", body=body))

    def trigger_delete(self, trigger: Trigger) -> None:
        """Delete a trigger; the gates that it closed open."""
        self._request("DELETE", f"/space/{trigger.space_id}/trigger/{trigger.id}")

    @_parsed
    def trigger_list(self, space: Space) -> tuple[Trigger, ...]:
        """Return the triggers of a space."""
        found = self._request("GET", f"/space/{space.id}/trigger")
        return tuple(Trigger.from_json(item["Trigger"]) for item in found or ())

    # Units

    @_parsed
    def unit_apply(self, unit: Unit) -> Operation:
        """Queue an apply of the unit's head; the worker does it."""
        path = f"/space/{unit.space_id}/unit/{unit.id}/apply"
        return Operation.from_json(self._request("POST", path))

    def unit_approve(self, unit: Unit) -> None:
        """Approve a unit's head, whatever it is by now; look at it afterwards."""
        self._request("POST", f"/space/{unit.space_id}/unit/{unit.id}/approve")

    @_parsed
    def unit_clone(self, upstream: Unit, space: Space, *, labels: Mapping[str, str]) -> Unit:
        """Clone a unit into a space, linked to its upstream."""
        query = {"upstream_space_id": upstream.space_id, "upstream_unit_id": upstream.id}
        body = {"Slug": upstream.slug, "ToolchainType": TOOLCHAIN, "Labels": dict(labels)}
        path = f"/space/{space.id}/unit"
        return self._unit(self._request("POST", path, query=query, body=body))

    @_parsed
    def unit_create(
        self, space: Space, slug: str, data: bytes, *, labels: Mapping[str, str]
    ) -> Unit:
        """Create a unit with its first revision."""
        body = {
            "Slug": slug,
            "ToolchainType": TOOLCHAIN,
            "Labels": dict(labels),
            "Data": base64.b64encode(data).decode(),
        }
        return self._unit(self._request("POST", f"/space/{space.id}/unit", body=body))

    def unit_delete(self, unit: Unit) -> None:
        """Delete a unit with its history; what is live of it stays in the cluster."""
        self._request("DELETE", f"/space/{unit.space_id}/unit/{unit.id}")

    @_parsed
    def unit_destroy(self, unit: Unit) -> Operation:
        """Queue the removal of a unit's objects from the cluster; the worker does it."""
        path = f"/space/{unit.space_id}/unit/{unit.id}/destroy"
        return Operation.from_json(self._request("POST", path))

    @_parsed
    def unit_event_list(self, unit: Unit, *, operation: Operation) -> tuple[UnitEvent, ...]:
        """Return what the worker reported of an operation, oldest first."""
        path = f"/space/{unit.space_id}/unit/{unit.id}/unit_event"
        query = {"where": f"QueuedOperationID='{operation.id}'"}
        found = self._request("GET", path, query=query)
        return tuple(UnitEvent.from_json(item) for item in found or ())

    @_parsed
    def unit_get(self, unit: Unit) -> Unit:
        """Return a unit as it is now."""
        found = self._request("GET", f"/space/{unit.space_id}/unit/{unit.id}")
        return self._unit(found["Unit"], found.get("UnitStatus"))

    @_parsed
    def unit_list(self, space: Space) -> tuple[Unit, ...]:
        """Return the units of a space, by slug, with their data."""
        query = {"include": "UnitEventID,TargetID,UpstreamUnitID,SpaceID"}
        found = self._request("GET", f"/space/{space.id}/unit", query=query)
        units = (self._unit(i["Unit"], i.get("UnitStatus")) for i in found or ())
        return tuple(sorted(units, key=lambda unit: unit.slug))

    @_parsed
    def unit_restore(self, unit: Unit, revision: Revision, *, change: str) -> Unit:
        """Make a new head of the data of a revision; none where the head is the same bytes."""
        return self._unit(
            self._request(
                "PATCH",
                f"/space/{unit.space_id}/unit/{unit.id}",
                query={"revision_id": revision.id},
                body={"LastChangeDescription": change},
                content_type=MERGE_PATCH,
            )
        )

    @_parsed
    def unit_set_labels(self, unit: Unit, labels: Mapping[str, str]) -> Unit:
        """Give a unit exactly these labels."""
        gone: dict[str, str | None] = dict.fromkeys(unit.labels.keys() - labels.keys())
        return self._unit(
            self._request(
                "PATCH",
                f"/space/{unit.space_id}/unit/{unit.id}",
                body={"Labels": {**labels, **gone}},
                content_type=MERGE_PATCH,
            )
        )

    @_parsed
    def unit_set_target(self, unit: Unit, target: Target) -> Unit:
        """Say where a unit is applied to."""
        return self._unit(
            self._request(
                "PATCH",
                f"/space/{unit.space_id}/unit/{unit.id}",
                body={"TargetID": target.id},
                content_type=MERGE_PATCH,
            )
        )

    @_parsed
    def unit_update(self, unit: Unit, data: bytes, *, change: str) -> Unit:
        """Replace a unit's data; a new head revision unless it is the same.

        Raises:
            ConfigHubError: 409 when the unit changed since it was read.
        """
        path = f"/space/{unit.space_id}/unit/{unit.id}"
        body = dict(self._request("GET", path)["Unit"])
        body |= {
            "Data": base64.b64encode(data).decode(),
            "LastChangeDescription": change,
            "Version": unit.version,
        }
        return self._unit(self._request("PUT", path, body=body))

    @_parsed
    def unit_upgrade(self, unit: Unit) -> tuple[Unit, tuple[Conflict, ...]]:
        """Merge what the upstream changed since into a unit's head; tell what was left out.

        Only the form for many units says of conflicts (`confighub-2026-06.md` 5).

        Raises:
            ConfigHubError: The two cannot be merged, or there is no upstream.
        """
        (item,) = self._request(
            "PATCH",
            "/unit",
            query={"where": f"UnitID = '{unit.id}'", "upgrade": "true"},
            body={},
            content_type=MERGE_PATCH,
        )
        if error := item.get("Error"):
            raise ConfigHubError(
                f"ConfigHub {self.url}: upgrade of unit {unit.slug}: {error.get('Message', '')}",
                status=int(error.get("Code") or 400),
            )
        conflicts = tuple(Conflict.from_json(told) for told in item.get("Conflicts") or ())
        return self._unit(item["Unit"]), conflicts

    # Workers

    @_parsed
    def worker_annotate(self, worker: Worker, annotations: Mapping[str, str | None]) -> Worker:
        """Set annotations of a worker; None removes one, the others stay."""
        body = {"Annotations": dict(annotations)}
        path = f"/space/{worker.space_id}/bridge_worker/{worker.id}"
        return Worker.from_json(self._request("PATCH", path, body=body, content_type=MERGE_PATCH))

    @_parsed
    def worker_create(self, space: Space, slug: str) -> Worker:
        """Create a worker; the answer carries its secret."""
        path = f"/space/{space.id}/bridge_worker"
        return Worker.from_json(self._request("POST", path, body={"Slug": slug}))

    @_parsed
    def worker_find(self, worker_id: str) -> tuple[Worker, Space] | None:
        """Return a worker and its space; None if there is no such worker."""
        query = {"where": f"BridgeWorkerID = '{worker_id}'", "include": "SpaceID"}
        found = self._request("GET", "/bridge_worker", query=query)
        for item in found or ():
            return Worker.from_json(item["BridgeWorker"]), Space.from_json(item["Space"])
        return None

    def worker_delete(self, worker: Worker) -> None:
        """Delete a worker, which no target may name any more."""
        self._request("DELETE", f"/space/{worker.space_id}/bridge_worker/{worker.id}")

    @_parsed
    def worker_list(self, space: Space) -> tuple[Worker, ...]:
        """Return the workers of a space with their condition."""
        found = self._request("GET", f"/space/{space.id}/bridge_worker")
        return tuple(Worker.from_json(item["BridgeWorker"]) for item in found or ())
