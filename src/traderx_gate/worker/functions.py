"""The functions that this worker offers: what only somebody who sees the cluster can say.

The rules of a row are those of ConfigHub's executor: a function that fails is told and the next one
runs, unless `StopOnError`; a validation that does not pass is a result, not a failure.
"""

import base64
import json
from collections.abc import Mapping
from typing import Any

from traderx_gate.errors import ConfigurationError, GateError
from traderx_gate.worker.bridge import Bridge
from traderx_gate.worker.protocol import ActionResult, FunctionCall

TOOLCHAIN = "Kubernetes/YAML"
DRY_RUN = "kubernetes-dry-run"
SUPPORTED: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    TOOLCHAIN: {
        DRY_RUN: {
            "FunctionName": DRY_RUN,
            "Parameters": [],
            "RequiredParameters": 0,
            "VarArgs": False,
            "OutputInfo": {
                "ResultName": "passed",
                "Description": "whether the cluster would take all of it; Details say what not",
                "OutputType": "ValidationResult",
            },
            "Mutating": False,
            "Validating": True,
            "Hermetic": False,
            "Idempotent": False,
            "Description": "Tries the unit's objects out in the target's cluster: what its API "
            "server would refuse, were they applied now. Changes nothing",
            "FunctionType": "Custom",
            "AffectedResourceTypes": ["*"],
        }
    }
}
"""Signatures by toolchain and name, as they are registered."""


def answer(bridge: Bridge, call: FunctionCall) -> ActionResult:
    """Run the functions that a server asks for; a cluster that cannot be asked is a failure."""
    try:
        response = _response(bridge, call)
    except GateError as error:
        return failed(str(error))
    return ActionResult(
        result="FunctionInvocationCompleted",
        status="Completed",
        message="Function invocation completed",
        data=json.dumps(response).encode(),
    )


def failed(message: str) -> ActionResult:
    """Return the report of an invocation that has no answer."""
    return ActionResult(result="FunctionInvocationFailed", status="Failed", message=message)


def _response(bridge: Bridge, call: FunctionCall) -> dict[str, Any]:
    results: list[dict[str, Any]] = []
    failures: list[str] = []
    told: list[str] = []
    filters = call.filters
    for index, name in enumerate(call.functions):
        if failures and call.stop_on_error:
            break
        if name not in SUPPORTED.get(call.toolchain_type, {}):
            failures.append(f"invoke {name}: function does not exist")
            continue
        if call.arguments[index]:
            failures.append(
                f"too many arguments: got {call.arguments[index]}, expected 0 for function {name}"
            )
            continue
        try:
            result = _dry_run(bridge, call, index)
        except (ConfigurationError, UnicodeDecodeError) as error:
            failures.append(f"{name}: {error}")
            continue
        if filters > 0:
            filters -= 1
            if not result["Passed"]:
                break
        results.append(result)
        if not result["Passed"]:
            told.append(f"function failed: {name} at {index} on {call.unit_slug}")
    output: Any = _combined(results) if call.combine and results else results
    return {
        **call.context,
        "ConfigData": _text(call.data),
        "Output": _text(json.dumps(output).encode()) if results else "",
        "OutputType": "ValidationResult" if results else "",
        "Success": not failures,
        "Mutations": [],
        "Mutators": [],
        "ErrorMessages": [*failures, *told],
    }


def _dry_run(bridge: Bridge, call: FunctionCall, index: int) -> dict[str, Any]:
    details = bridge.refusals(call.data.decode(), source=f"unit {call.unit_slug}")
    result: dict[str, Any] = {"Passed": not details, "Index": index}
    return result | ({"Details": list(details)} if details else {})


def _combined(results: list[dict[str, Any]]) -> dict[str, Any]:
    if len(results) == 1:
        return results[0]
    details = [line for result in results for line in result.get("Details", ())]
    passed = all(result["Passed"] for result in results)
    return {"Passed": passed, "Index": 0} | ({"Details": details} if details else {})


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
