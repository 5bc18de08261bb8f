"""The process node: what a kubelet and a service proxy do, for pods that are local processes.

A client of the Kubernetes API like any other. What differs from a kubelet is in docs/fidelity.md.
"""
