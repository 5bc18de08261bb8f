"""What a worker asks of the server: log in, identify, register, report, be seen."""

import hashlib
import hmac
import json
import logging
import re
import uuid
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from traderx_embedded.confighub import listing, operations, rendering, rules
from traderx_embedded.confighub import worker_functions as functions
from traderx_embedded.confighub.attributes import ZERO_UUID, now, parse_uuid
from traderx_embedded.confighub.call import Answer, Call
from traderx_embedded.confighub.entities import BridgeWorker, BridgeWorkerStatus, Target
from traderx_embedded.confighub.errors import ApiError, bad_request, unauthorized
from traderx_embedded.confighub.store import Transaction

_log = logging.getLogger(__name__)


def authenticate(tx: Transaction, worker_id: str, secret: str) -> BridgeWorker:
    """Return the worker whose secret this is.

    Raises:
        ApiError: There is no such worker, or the secret is another's; the two look alike.
    """
    worker = tx.find(BridgeWorker, worker_id)
    expected = worker.secret if worker is not None else ""
    same = hmac.compare_digest(expected.encode(), secret.encode(errors="replace"))
    if worker is None or not expected or not same:
        raise unauthorized("worker id and secret do not belong together")
    return worker


def session_token(worker: BridgeWorker, key: str) -> str:
    """Return the access token of a worker that logged in; it dies with the worker's secret."""
    signed = hmac.new(key.encode(), f"{worker.id} {worker.secret}".encode(), hashlib.sha256)
    return f"{worker.id}.{signed.hexdigest()}"


def is_session(tx: Transaction, token: str, key: str) -> bool:
    """Tell whether a token was given to a worker at login."""
    worker_id, _, _ = token.partition(".")
    worker = tx.find(BridgeWorker, worker_id)
    return worker is not None and hmac.compare_digest(
        session_token(worker, key).encode(), token.encode(errors="replace")
    )


def login(tx: Transaction, call: Call, key: str) -> Answer:
    """POST /auth/worker."""
    body = call.document()
    worker_id = parse_uuid(body.get("worker_id"), where="worker_id")
    secret = body.get("worker_secret")
    if worker_id is None or not isinstance(secret, str):
        raise bad_request("expected worker_id and worker_secret")
    worker = authenticate(tx, worker_id, secret)
    return Answer.of(
        {
            "access_token": session_token(worker, key),
            "organization_id": tx.organization_id,
            "user": {"id": tx.user_id, "email": f"{worker.slug}@worker"},
        }
    )


def me(tx: Transaction, worker: BridgeWorker) -> Answer:
    """GET /bridge_worker/{worker}/me."""
    shown = rendering.bare(tx, worker)
    del shown["Secret"]
    return Answer.of(shown)


def register(tx: Transaction, worker_id: str, info: Mapping[str, Any], client: str) -> None:
    """Note that a worker's stream is open, and make the targets that it offers.

    A target that exists is left as it is: its parameters may have been edited since.

    Raises:
        ApiError: The info is malformed.
    """
    worker = listing.get(tx, BridgeWorker, worker_id)
    functions.check(info)
    for offered in _offered(info):
        if tx.by_slug(Target, worker.space_id, offered["slug"]) is None:
            values = {**offered, "bridge_worker_id": worker.id}
            rules.new(tx, Target, worker.space_id, values)
            _log.info("target made: slug=%s worker=%s", offered["slug"], worker.slug)
    seen(tx, worker_id, condition="Ready", status="Connected", client=client)
    worker = listing.get(tx, BridgeWorker, worker_id)
    tx.update(replace(worker, provided_info=dict(info)))
    operations.take_back(tx, worker_id)


def _offered(info: Mapping[str, Any]) -> list[dict[str, Any]]:
    try:
        types = (info.get("BridgeWorkerInfo") or {}).get("SupportedConfigTypes") or []
        return [
            {
                "slug": _slug(target["Name"]),
                "display_name": str(target["Name"]),
                "toolchain_type": str(supported["ToolchainType"]),
                "provider_type": str(supported["ProviderType"]),
                "parameters": json.dumps(target.get("Params") or {}),
            }
            for supported in types
            for target in supported.get("AvailableTargets") or []
        ]
    except (AttributeError, KeyError, TypeError) as error:
        raise bad_request(f"WorkerInfo is malformed: {error!r}") from error


def _slug(name: str) -> str:
    slug = re.sub(r"[^a-z0-9._-]+", "-", name.lower()).strip("-._")[:128]
    if not slug:
        raise ApiError(400, f"WorkerInfo: target name {name!r} has no letter or digit")
    return slug


def seen(
    tx: Transaction, worker_id: str, *, condition: str, status: str = "", client: str = ""
) -> None:
    """Take a sign of life, or its end, into the worker; a status also goes to its history."""
    worker = tx.find(BridgeWorker, worker_id)
    if worker is None:
        return  # deleted while its stream was open
    moment = now()
    alive = condition == "Ready"
    tx.update(
        replace(
            worker,
            condition=condition,
            last_seen_at=moment if alive else worker.last_seen_at,
            ip_address=client or worker.ip_address,
        )
    )
    if status:
        tx.create(
            BridgeWorkerStatus(
                id=str(uuid.uuid4()),
                organization_id=tx.organization_id,
                created_at=moment,
                updated_at=moment,
                space_id=worker.space_id,
                bridge_worker_id=worker.id,
                bridge_worker_slug=worker.slug,
                status=status,
                seen_at=moment,
                ip_address=client or worker.ip_address,
            )
        )


def report(tx: Transaction, worker_id: str, call: Call) -> Answer:
    """POST /bridge_worker/{worker}/action_result."""
    parsed = operations.Report.from_json(call.document())
    if parsed.action == "Heartbeat":
        seen(tx, worker_id, condition="Ready", client=call.client)
        return Answer.of("ok")
    operations.record(tx, worker_id, parsed)
    seen(tx, worker_id, condition="Ready", status="ActionResultReceived", client=call.client)
    return Answer.of("ok")


def errand_of(call: Call) -> str | None:
    """Return which invocation of functions a report is about; None for any other report."""
    body = call.document()
    if body.get("Action") != functions.ACTION:
        return None
    return parse_uuid(body.get("QueuedOperationID"), where="QueuedOperationID") or ZERO_UUID


def errand_done(tx: Transaction, worker_id: str, call: Call) -> Answer:
    """Take the sign of life in an answer that somebody waited for."""
    seen(tx, worker_id, condition="Ready", status="ActionResultReceived", client=call.client)
    return Answer.of("ok")


def disconnect_all(tx: Transaction) -> None:
    """Note that no stream has survived the previous server process."""
    for worker in tx.all(BridgeWorker):
        if worker.condition != "Disconnected":
            seen(tx, worker.id, condition="Disconnected", status="Disconnected")
