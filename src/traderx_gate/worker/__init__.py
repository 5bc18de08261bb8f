"""The worker between ConfigHub and a cluster: takes operations from a stream and reports on them.

Runs as `python -m traderx_gate.worker`, for ConfigHub's own worker to be used in its place.
"""
