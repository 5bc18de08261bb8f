"""Clusters that we make ourselves, on a container engine."""
