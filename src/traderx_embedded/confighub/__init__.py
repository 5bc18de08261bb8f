"""The embedded ConfigHub: spaces, units with revisions, targets, workers, queued operations.

A process of its own (`python -m traderx_embedded.confighub`), which speaks ConfigHub's REST API and
its worker protocol. What it leaves out is listed in docs/fidelity.md.
"""
