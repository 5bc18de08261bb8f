"""The functions that ConfigHub runs on the data of units: bytes and arguments in, bytes out.

Nothing in here knows of requests, of storage or of other entities than the unit at hand.
"""
