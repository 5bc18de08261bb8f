"""The verdict: what a run has to prove, what it proved, and the decision that follows.

Pure: takes bytes and values, reads no clock, no file, no network. Reading and writing of evidence
is in `traderx_gate.runs`.
"""

from traderx_gate.verdict.claims import Claim, ClaimCatalogue, ClaimKey
from traderx_gate.verdict.decision import Decision, Reason, Verdict
from traderx_gate.verdict.evaluate import Subject, evaluate
from traderx_gate.verdict.evidence import (
    ClaimResult,
    Cluster,
    Environment,
    Evidence,
    EvidenceState,
    Observation,
    Outcome,
    PodIdentity,
    Rollout,
    ServiceRollout,
    ServiceTimeline,
    UnitRevision,
    claim_result_to_json,
)
from traderx_gate.verdict.policy import SUITE_OF, AcceptedRisk, Policy
from traderx_gate.verdict.promotion import (
    Candidate,
    PromotionDecision,
    PromotionPolicy,
    evaluate_promotion,
    is_of,
)

__all__ = [
    "SUITE_OF",
    "AcceptedRisk",
    "Candidate",
    "Claim",
    "ClaimCatalogue",
    "ClaimKey",
    "ClaimResult",
    "Cluster",
    "Decision",
    "Environment",
    "Evidence",
    "EvidenceState",
    "Observation",
    "Outcome",
    "PodIdentity",
    "Policy",
    "PromotionDecision",
    "PromotionPolicy",
    "Reason",
    "Rollout",
    "ServiceRollout",
    "ServiceTimeline",
    "Subject",
    "UnitRevision",
    "Verdict",
    "claim_result_to_json",
    "evaluate",
    "evaluate_promotion",
    "is_of",
]
