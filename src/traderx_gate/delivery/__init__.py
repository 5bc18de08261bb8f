"""Delivery: install units, deploy an environment in dependency order."""
