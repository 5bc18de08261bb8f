"""The address rule: a pod is shown at 10.P.a.b, reached at 127.P.a.b, its process binds 127.Q.a.b.

EndpointSlices refuse loopback addresses, and only loopback addresses can be bound without root.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Networks:
    """The first two octets of each of a cluster's address ranges.

    Attributes:
        pod: Shown pod addresses, such as `10.244`.
        service: ClusterIPs, such as `127.96`.
        private: Where processes bind, such as `127.200`.
    """

    pod: str
    service: str
    private: str

    def is_pod(self, address: str) -> bool:
        """Whether the address is a shown pod address."""
        return address.startswith(f"{self.pod}.")

    def is_service(self, address: str) -> bool:
        """Whether the address is a ClusterIP."""
        return address.startswith(f"{self.service}.")

    def reach(self, pod_address: str) -> str:
        """Return where the node accepts traffic for the pod."""
        return f"127.{pod_address.partition('.')[2]}"

    def private_of(self, pod_address: str) -> str:
        """Return where the pod's process binds."""
        return f"{self.private}.{pod_address.split('.', 2)[2]}"


class AddressPool:
    """Hands out pod addresses, in turn, so that a freed one is not taken at once by another pod."""

    def __init__(self, networks: Networks) -> None:
        self._networks = networks
        self._owners: dict[str, str] = {}
        self._next = 0

    def reserve(self, address: str, uid: str) -> bool:
        """Take this very address for the pod; false if another pod has it."""
        if not self._networks.is_pod(address):
            return False
        return self._owners.setdefault(address, uid) == uid

    def allocate(self, uid: str) -> str:
        """Take a free address for the pod."""
        for _ in range(254 * 254):
            third, fourth = divmod(self._next, 253)
            self._next = (self._next + 1) % (253 * 254)
            address = f"{self._networks.pod}.{third}.{fourth + 2}"
            if address not in self._owners:
                self._owners[address] = uid
                return address
        raise RuntimeError(f"no pod address is free in {self._networks.pod}.0.0/16")

    def release(self, address: str, uid: str) -> None:
        """Give the pod's address back."""
        if self._owners.get(address) == uid:
            del self._owners[address]
