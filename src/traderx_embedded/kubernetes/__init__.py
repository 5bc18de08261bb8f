"""Embedded Kubernetes: the real control plane as local processes, and the process node."""
