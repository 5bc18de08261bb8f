"""What the server refuses, in ConfigHub's own shape.

Routes raise these; `server` turns them into `{"Code", "Message"}`. Bulk routes put them into items.
"""


class ApiError(Exception):
    """A request that is answered with an error status and a message.

    Attributes:
        status: The HTTP status; also `Code` in the body.
        message: What was seen and what to do.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message

    def response(self) -> dict[str, str]:
        """Return the body of an error answer."""
        return {"Code": str(self.status), "Message": self.message}

    def item(self) -> dict[str, object]:
        """Return the `Error` of one item in a bulk answer."""
        return {"Message": self.message, "Status": self.status, "Type": "ResponseError"}


def bad_request(message: str) -> ApiError:
    """400: also for duplicates, because clients of that time model 409 on PUT alone."""
    return ApiError(400, message)


def unauthorized(message: str) -> ApiError:
    """401: no token, or one that this server did not issue."""
    return ApiError(401, message)


def not_found(message: str) -> ApiError:
    """404: no such entity or route."""
    return ApiError(404, message)


def conflict(message: str) -> ApiError:
    """409: the entity has moved on since the client read it."""
    return ApiError(409, message)
