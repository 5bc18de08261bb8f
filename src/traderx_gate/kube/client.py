"""The one client for the Kubernetes API: reads, watches, server-side apply, deletes, logs."""

import contextlib
import json
import logging
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self, TypeVar
from urllib.parse import quote, urlencode

import urllib3
import yaml
from kubernetes.client.api_client import ApiClient
from kubernetes.client.configuration import Configuration
from kubernetes.client.exceptions import ApiException
from kubernetes.config import new_client_from_config
from kubernetes.config.config_exception import ConfigException
from kubernetes.config.incluster_config import InClusterConfigLoader

from traderx_gate.errors import (
    ConfigurationError,
    KubernetesError,
    NotFoundError,
    UnreachableError,
)
from traderx_gate.kube.execution import Executed, execute
from traderx_gate.kube.forwarding import Forward, forwarded
from traderx_gate.kube.objects import Deployment, Manifest, ObjectRef, Pod
from traderx_gate.waiting import Deadline

REQUEST_TIMEOUT_S = 15.0
FOLLOW_TIMEOUT_S = 3600.0
"""How long a followed log may be silent."""
SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
FIELD_MANAGER = "confighub"
"""The field manager that ConfigHub's worker applies with (`reference/confighub.md` 5.3)."""

log = logging.getLogger(__name__)
Snapshot = TypeVar("Snapshot")


class Kube:
    """A cluster. Safe to share between threads; every request has a deadline.

    Every method raises `UnreachableError` when nothing answers and `KubernetesError`
    (`NotFoundError` for 404) when the API refuses.
    """

    def __init__(self, api: ApiClient, *, context: str) -> None:
        self._api = api
        self._resources: dict[tuple[str, str], tuple[str, bool]] = {}
        self.context = context

    @classmethod
    def from_kubeconfig(cls, path: Path, *, context: str | None = None) -> Self:
        """Return a client for a context of a kubeconfig, by default its current one.

        Raises:
            ConfigurationError: The file is missing, unreadable, malformed, or has no such context.
        """
        try:
            path.read_bytes()
        except OSError as error:
            raise ConfigurationError(
                f"kubeconfig {path}: {error.strerror}; give another with --kubeconfig"
            ) from error
        try:
            api = new_client_from_config(str(path), context=context, persist_config=False)
        except (ConfigException, ValueError, TypeError, KeyError, AttributeError) as error:
            what = f"context {context!r}" if context else "its current context"
            raise ConfigurationError(f"kubeconfig {path}: cannot use {what}: {error}") from error
        except Exception as error:  # PyYAML's errors reach us unwrapped; anything else is ours
            if type(error).__module__.split(".")[0] != "yaml":
                raise
            said = " ".join(str(error).split())
            raise ConfigurationError(f"kubeconfig {path}: not YAML: {said}") from error
        server = api.configuration.host
        if not server.startswith(("http://", "https://")):
            raise ConfigurationError(
                f"kubeconfig {path}: server {server!r} is no http:// or https:// address"
            )
        return cls._of(api.configuration, context=context or "")

    @classmethod
    def in_cluster(cls, account: Path = SERVICE_ACCOUNT) -> Self:
        """Return a client for the cluster that this process is a pod of, as its service account.

        Args:
            account: Where token and authority of the service account are mounted.

        Raises:
            ConfigurationError: This is no pod, or its service account's token is not mounted.
        """
        configuration = Configuration()
        loader = InClusterConfigLoader(
            token_filename=str(account / "token"), cert_filename=str(account / "ca.crt")
        )
        try:
            loader.load_and_set(configuration)
        except (ConfigException, OSError) as error:
            raise ConfigurationError(
                f"this is no pod with a service account: {error}; name a kubeconfig in KUBECONFIG"
            ) from error
        return cls._of(configuration, context="")

    @classmethod
    def _of(cls, configuration: Configuration, *, context: str) -> Self:
        configuration.retries = False
        configuration.connection_pool_maxsize = 16
        return cls(ApiClient(configuration), context=context)

    # Requests

    def _request(self, method: str, path: str, **options: Any) -> urllib3.BaseHTTPResponse:
        response = self._send(method, path, **options)
        if response.status >= 400:
            raise self._error(method, path, response)
        return response

    def _send(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Manifest | None = None,
        content_type: str = "application/json",
        headers: Mapping[str, str] | None = None,
        timeout_s: float = REQUEST_TIMEOUT_S,
        stream: bool = False,
    ) -> urllib3.BaseHTTPResponse:
        headers = {"Accept": "application/json", "Content-Type": content_type, **(headers or {})}
        self._api.update_params_for_auth(headers, [], ["BearerToken"], path, method, body)
        url = f"{self._api.configuration.host}{path}"
        if query:
            url += f"?{urlencode(query)}"
        try:
            answer = self._api.rest_client.request(
                method,
                url,
                headers=headers,
                # the library encodes JSON itself and sends any other type as it is
                body=body if content_type == "application/json" else json.dumps(body),
                _request_timeout=(min(timeout_s, REQUEST_TIMEOUT_S), timeout_s),
            )
            response: urllib3.BaseHTTPResponse = answer.response
            if not stream:
                response.read(cache_content=True)
        except (ApiException, urllib3.exceptions.HTTPError, OSError) as error:
            host = self._api.configuration.host
            reason = " ".join(str(getattr(error, "reason", None) or error).split())
            raise UnreachableError(
                f"Kubernetes API {host} does not answer {method} {path}: {reason[:300]}"
            ) from error
        return response

    def _error(
        self, method: str, path: str, response: urllib3.BaseHTTPResponse
    ) -> KubernetesError | UnreachableError:
        try:
            status = json.loads(response.data)
            message, reason = status["message"], status.get("reason", "")
        except (ValueError, TypeError, KeyError):
            return UnreachableError(
                f"what answers at {self._api.configuration.host} is not a Kubernetes API: "
                f"{method} {path} gave {response.status} {response.data[:80]!r}"
            )
        if response.status == 401:
            return UnreachableError(
                f"Kubernetes API {self._api.configuration.host} does not accept the kubeconfig's "
                "credentials (401); they may have expired: renew them"
            )
        kind = NotFoundError if response.status == 404 else KubernetesError
        return kind(f"{method} {path}: {message}", status=response.status, reason=reason)

    def _json(self, method: str, path: str, **options: Any) -> Any:
        response = self._request(method, path, **options)
        try:
            body = json.loads(response.data)
        except ValueError:
            body = None
        if not isinstance(body, dict):  # every answer of the API is an object
            raise UnreachableError(
                f"what answers at {self._api.configuration.host} is not a Kubernetes API: "
                f"{method} {path} gave {response.data[:80]!r}"
            )
        return body

    def _collection(self, api_version: str, kind: str, namespace: str) -> str:
        prefix = _prefix(api_version)
        if (api_version, kind) not in self._resources:
            for resource in self._group(prefix, f"{api_version} {kind}")["resources"]:
                if "/" not in resource["name"]:
                    key = (api_version, resource["kind"])
                    self._resources[key] = (resource["name"], resource["namespaced"])
        if (api_version, kind) not in self._resources:
            raise NotFoundError(f"the cluster knows no {api_version} {kind}", status=404)
        plural, namespaced = self._resources[api_version, kind]
        scope = f"/namespaces/{quote(namespace)}" if namespaced and namespace else ""
        return f"{prefix}{scope}/{plural}"

    def _group(self, prefix: str, wanted: str) -> Any:
        """Return the kinds of a group; one that is not there has no answer of the API's form."""
        if self._send("GET", prefix).status == 404:
            self.version()  # it is a Kubernetes API that says so
            raise NotFoundError(f"the cluster knows no {wanted}", status=404)
        return self._json("GET", prefix)

    def _path(self, ref: ObjectRef) -> str:
        return f"{self._collection(ref.api_version, ref.kind, ref.namespace)}/{quote(ref.name)}"

    # Reading

    def version(self) -> str:
        """Return the server's version, such as `v1.37.2`."""
        return str(self._json("GET", "/version")["gitVersion"])

    def get(self, ref: ObjectRef) -> Manifest:
        """Return one object."""
        body: Manifest = self._json("GET", self._path(ref))
        return body

    def find(self, ref: ObjectRef) -> Manifest | None:
        """Return one object; None if there is none."""
        try:
            return self.get(ref)
        except NotFoundError:
            return None

    def list(
        self,
        api_version: str,
        kind: str,
        *,
        namespace: str = "",
        labels: str = "",
        fields: str = "",
    ) -> tuple[Manifest, ...]:
        """Return the objects of a kind, of one namespace or of all, in the API's order."""
        query = {"labelSelector": labels, "fieldSelector": fields}
        path = self._collection(api_version, kind, namespace)
        body = self._json("GET", path, query={k: v for k, v in query.items() if v})
        return tuple({"apiVersion": api_version, "kind": kind, **item} for item in body["items"])

    def deployment(self, namespace: str, name: str) -> Deployment:
        """Return what a rollout is judged by."""
        ref = ObjectRef(api_version="apps/v1", kind="Deployment", namespace=namespace, name=name)
        return Deployment.from_json(self.get(ref))

    def pods(self, namespace: str, *, labels: str = "") -> tuple[Pod, ...]:
        """Return the pods of a namespace, by name."""
        found = self.list("v1", "Pod", namespace=namespace, labels=labels)
        return tuple(sorted((Pod.from_json(p) for p in found), key=lambda pod: pod.name))

    def kinds(self) -> tuple[tuple[str, str], ...]:
        """Return (apiVersion, kind) of every namespaced kind that can be listed."""
        groups = self._json("GET", "/apis")["groups"]
        versions = ["v1", *(group["preferredVersion"]["groupVersion"] for group in groups)]
        return tuple(
            (version, resource["kind"])
            for version in versions
            for resource in self._json("GET", _prefix(version))["resources"]
            if resource["namespaced"] and "list" in resource["verbs"]
        )

    def logs(self, namespace: str, pod: str, *, lines: int, previous: bool = False) -> str:
        """Return the last lines that the container of a pod, or its predecessor, has written."""
        query = {"tailLines": str(lines), "previous": str(previous).lower()}
        path = self._log_path(namespace, pod)
        return self._request("GET", path, query=query).data.decode(errors="replace")

    def follow_logs(self, namespace: str, pod: str, *, lines: int) -> Iterator[str]:
        """Yield the last lines of a container, and each further one as it is written.

        Ends with the container, or with the connection.
        """
        query = {"tailLines": str(lines), "follow": "true"}
        path = self._log_path(namespace, pod)
        response = self._request("GET", path, query=query, timeout_s=FOLLOW_TIMEOUT_S, stream=True)
        rest = b""
        try:
            for part in response.stream(65536):
                *whole, rest = (rest + part).split(b"\n")
                yield from (line.decode(errors="replace") for line in whole)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            log.info("log of %s ended: %s", pod, error)
        finally:
            response.close()
        if rest:
            yield rest.decode(errors="replace")

    def _log_path(self, namespace: str, pod: str) -> str:
        return f"/api/v1/namespaces/{quote(namespace)}/pods/{quote(pod)}/log"

    def may(self, verb: str, resource: str, *, group: str = "", namespace: str = "") -> bool:
        """Return whether the API would let us; asking changes nothing.

        Args:
            verb: Such as `patch`.
            resource: Such as `pods` or `pods/log`.
            group: API group; empty for the core.
            namespace: Empty asks about every namespace.
        """
        name, _, part = resource.partition("/")
        asked = {"verb": verb, "resource": name, "subresource": part, "group": group}
        answer = self._json(
            "POST",
            "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
            body={
                "apiVersion": "authorization.k8s.io/v1",
                "kind": "SelfSubjectAccessReview",
                "spec": {"resourceAttributes": {**asked, "namespace": namespace}},
            },
        )
        return bool(answer["status"]["allowed"])

    def ask(
        self,
        ref: ObjectRef,
        port: int,
        *,
        method: str,
        path: str,
        headers: Mapping[str, str],
        timeout_s: float,
    ) -> tuple[int, str, Mapping[str, str]]:
        """Send a request to a Pod or a Service through the API server.

        What the API server itself answers, for instance 503 when nothing is reached, cannot be
        told for sure from what is behind it.

        Returns:
            Status, body and headers.
        """
        root = f"{self._path(ref)}:{port}/proxy"
        response = self._send(method, root + path, headers=headers, timeout_s=timeout_s)
        # the API server puts its own path before every address in a page that it passes on
        body = response.data.decode(errors="replace").replace(root, "")
        return response.status, body, dict(response.headers)

    def execute(
        self, namespace: str, pod: str, command: Sequence[str], *, timeout_s: float
    ) -> Executed:
        """Run a command in the only container of a pod, without a terminal."""
        return execute(self._api, namespace, pod, command, timeout_s=timeout_s)

    def forwarded(
        self, namespace: str, pod: str, port: int, *, local_port: int
    ) -> contextlib.AbstractContextManager[Forward]:
        """Listen on 127.0.0.1 and carry every connection to a port of a pod."""
        return forwarded(self._api, namespace, pod, port, local_port=local_port)

    # Changing

    def apply(
        self, manifest: Manifest, *, manager: str = FIELD_MANAGER, dry_run: bool = False
    ) -> Manifest:
        """Apply an object on the server's side, taking over fields of other managers.

        With `dry_run` nothing changes; the answer is what the object would become.
        """
        query = {"fieldManager": manager, "force": "true"}
        if dry_run:
            query["dryRun"] = "All"
        body: Manifest = self._json(
            "PATCH",
            self._path(ObjectRef.of(manifest)),
            query=query,
            body=manifest,
            content_type="application/apply-patch+yaml",
        )
        return body

    def delete(self, ref: ObjectRef) -> None:
        """Delete one object, its dependants in the background."""
        body = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Background"}
        self._request("DELETE", self._path(ref), body=body)

    # Watching

    def watch(
        self,
        kinds: Sequence[tuple[str, str]],
        read: Callable[[], Snapshot],
        *,
        namespace: str,
        labels: str = "",
        deadline: Deadline,
        wake: threading.Event | None = None,
    ) -> Iterator[Snapshot]:
        """Yield what `read` returns, now and after every change of these kinds, until the deadline.

        A lost watch is opened again. Changes that come while `read` runs are seen by the next one.
        Whoever sets `wake` has it read at once, as after a change.
        """
        changed = wake or threading.Event()
        stop = threading.Event()
        watches = [
            threading.Thread(
                target=self._forward_changes,
                args=(self._collection(*kind, namespace), labels, changed, stop),
                name=f"watch {kind[1]} {namespace}",
                daemon=True,
            )
            for kind in kinds
        ]
        for thread in watches:
            thread.start()
        try:
            while True:
                yield read()
                if not changed.wait(timeout=deadline.remaining()):
                    return
                changed.clear()
        finally:
            stop.set()

    def _forward_changes(
        self, path: str, labels: str, changed: threading.Event, stop: threading.Event
    ) -> None:
        query = {"watch": "true", "timeoutSeconds": "5"}
        if labels:
            query["labelSelector"] = labels
        while not stop.is_set():
            try:
                response = self._request("GET", path, query=query, timeout_s=10, stream=True)
                for _ in response.stream(65536):
                    if stop.is_set():
                        response.close()
                        return
                    changed.set()
            except (UnreachableError, KubernetesError, urllib3.exceptions.HTTPError, OSError) as e:
                log.info("watch of %s ended, opening it again: %s", path, e)
                changed.set()  # let the reader see for itself, and report
                stop.wait(1.0)


def _prefix(api_version: str) -> str:
    return f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"


def current_context(kubeconfig: Path) -> str:
    """Return the name of a kubeconfig's current context.

    Raises:
        ConfigurationError: The file cannot be read or names none.
    """
    try:
        name = yaml.safe_load(kubeconfig.read_text())["current-context"]
    except (OSError, UnicodeDecodeError, yaml.YAMLError, KeyError, TypeError) as error:
        raise ConfigurationError(f"kubeconfig {kubeconfig}: no current context: {error}") from error
    return str(name)
