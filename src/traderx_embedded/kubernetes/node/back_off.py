"""The delay before something that failed is tried again: doubled each time, forgotten in calm."""

MAX_S = 300.0
CALM_S = 600.0


class BackOff:
    """A kubelet's back-off of one container: none at first, then the base, doubled up to 300 s."""

    def __init__(self, *, base_s: float) -> None:
        self._base_s = base_s
        self._delay_s = 0.0
        self._updated_s = 0.0

    @property
    def delay_s(self) -> float:
        """The whole delay that now holds; 0 when there is none."""
        return self._delay_s

    def ended(self, *, at_s: float) -> float:
        """Return how long to wait, from `at_s` on, when the container ended at that time."""
        if self._delay_s and at_s - self._updated_s > CALM_S:
            self._delay_s = 0.0
        return self._delay_s

    def next(self, *, now_s: float) -> None:
        """Move on: the container is being started now."""
        self._delay_s = min(self._delay_s * 2, MAX_S) if self._delay_s else self._base_s
        self._updated_s = now_s
