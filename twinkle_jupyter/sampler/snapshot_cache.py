"""The adapter versions that a sampler holds: the last few of the adapters used last."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING

from twinkle_jupyter.errors import NotFoundError
from twinkle_jupyter.ids import AdapterId, AdapterVersion

if TYPE_CHECKING:
    from torch import Tensor

    from twinkle_jupyter.scheduling.request import AdapterSpec


@dataclass(frozen=True, slots=True, eq=False)
class HeldAdapter:
    """One version of an adapter. Each time it comes it is another one, whatever its number."""

    version: AdapterVersion
    spec: AdapterSpec
    #: (P,) in the layout that the base model gives this shape.
    weights: Tensor
    #: Told apart by this where the weights themselves must not be held.
    number: int = field(default_factory=count().__next__)

    @property
    def size_bytes(self) -> int:
        """Bytes of the weights."""
        return self.weights.nbytes

    def equals(self, other: HeldAdapter) -> bool:
        """Whether both answer alike."""
        is_alike = (self.version, self.spec) == (other.version, other.spec)
        return is_alike and self.weights.equal(other.weights)


class SnapshotCache:
    """Versions by adapter.

    Args:
        max_adapters: The adapter that was not used for longest goes when there are more.
        max_versions: Versions of each adapter that are kept, those that came last.
    """

    def __init__(self, max_adapters: int = 64, max_versions: int = 3) -> None:
        self._max_adapters = max_adapters
        self._max_versions = max_versions
        self._held: OrderedDict[AdapterId, dict[AdapterVersion, HeldAdapter]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._held)

    @property
    def size_bytes(self) -> int:
        """Bytes of all versions; may be asked for on any thread."""
        everybody = list(self._held.values())
        return sum(held.size_bytes for each in everybody for held in list(each.values()))

    def put(self, adapter_id: AdapterId, held: HeldAdapter) -> None:
        """Hold this version; it is what `get` returns for no version.

        What came last counts, not the highest number: training may go back to an earlier step, and
        two readers may hand over neighbouring versions in either order. What is the same as it was
        stays what it is, so that its answers go on sharing what they have read.
        """
        versions = self._held.setdefault(adapter_id, {})
        self._held.move_to_end(adapter_id)
        before = versions.pop(held.version, None)
        versions[held.version] = before if before is not None and before.equals(held) else held
        while len(versions) > self._max_versions:
            versions.pop(next(iter(versions)))
        while len(self._held) > self._max_adapters:
            self._held.popitem(last=False)

    def get(self, adapter_id: AdapterId, version: AdapterVersion | None) -> HeldAdapter:
        """Return that version, or the newest for None.

        Raises:
            NotFoundError: The adapter or that version is not held.
        """
        versions = self._held.get(adapter_id)
        if versions is None:
            raise NotFoundError(f"Adapter {adapter_id!r} is not on this sampler.")
        self._held.move_to_end(adapter_id)
        held = versions.get(next(reversed(versions)) if version is None else version)
        if held is None:
            known = ", ".join(map(str, sorted(versions)))
            raise NotFoundError(
                f"Version {version} of adapter {adapter_id!r} is not on this sampler.",
                f"It holds {known}.",
            )
        return held

    def remove(self, adapter_id: AdapterId) -> None:
        """Forget all versions, if there are any."""
        self._held.pop(adapter_id, None)
