"""Embedded systems: Kubernetes, ConfigHub, TraderX stand-ins; always started as processes."""
