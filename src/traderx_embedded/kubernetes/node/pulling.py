"""Finds the program of a container's image; a name that is not there is tried again, as a pull."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable

from traderx_embedded import images
from traderx_embedded.kubernetes.node.back_off import BackOff
from traderx_embedded.kubernetes.node.pod import Pod
from traderx_embedded.kubernetes.node.surroundings import Surroundings


class Puller:
    """Pulls for one container.

    Args:
        pod: The pod, seen from the container.
        around: The node.
        wait_as: Called with reason and message when the container has to wait.
        settled: Returns once that is written.
    """

    def __init__(
        self,
        pod: Pod,
        around: Surroundings,
        *,
        wait_as: Callable[[str, str], None],
        settled: Callable[[], Awaitable[None]],
    ) -> None:
        self._pod = pod
        self._around = around
        self._wait_as = wait_as
        self._settled = settled
        self._image_changed = asyncio.Event()

    def update(self, pod: Pod) -> None:
        """Take note of a new version of the pod."""
        if pod.container.image != self._pod.container.image:
            self._image_changed.set()
        self._pod = pod

    async def pull(self) -> images.Image:
        """Return the image, as soon as it is there."""
        delay = BackOff(base_s=self._around.settings.back_off_base_s)
        while True:
            name = self._pod.container.image
            try:
                image = images.find(name)
            except images.UnknownImageError:
                await self._failed(name, delay)
                continue
            message = f'Container image "{name}" already present on machine'
            self._around.events.normal(
                self._pod, "Pulled", f"{message} and can be accessed by the pod"
            )
            return image

    async def _failed(self, name: str, delay: BackOff) -> None:
        self._image_changed.clear()
        if self._pod.container.pull_policy == "Never":
            await self._not_tried(name)
            return
        events, pod = self._around.events, self._pod
        events.normal(pod, "Pulling", f'Pulling image "{name}"')
        message = (
            f'rpc error: code = NotFound desc = failed to pull and unpack image "{name}": '
            f'failed to resolve reference "{name}": {name}: not found'
        )
        events.warning(pod, "Failed", f'Failed to pull image "{name}": {message}')
        events.warning(pod, "Failed", "Error: ErrImagePull")
        self._wait_as("ErrImagePull", message)
        # Seen by whoever watches, before the back-off takes its place.
        await self._settled()
        delay.next(now_s=time.monotonic())
        backing_off = f'Back-off pulling image "{name}"'
        events.normal(pod, "BackOff", backing_off)
        events.warning(pod, "Failed", "Error: ImagePullBackOff")
        self._wait_as("ImagePullBackOff", f"{backing_off}: ErrImagePull: {message}")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(delay.delay_s):
                await self._image_changed.wait()

    async def _not_tried(self, name: str) -> None:
        message = f'Container image "{name}" is not present with pull policy of Never'
        self._around.events.warning(self._pod, "ErrImageNeverPull", message)
        self._wait_as("ErrImageNeverPull", message)
        await self._image_changed.wait()
