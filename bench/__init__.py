"""Measurements of the performance targets, on a throw-away cluster; `make bench` runs them."""
