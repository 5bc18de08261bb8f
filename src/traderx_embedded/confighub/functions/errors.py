"""What a function refuses: told in its result, never as an error of the request."""


class FunctionError(Exception):
    """A function that cannot do what it was asked for."""
