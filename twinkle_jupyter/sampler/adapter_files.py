"""Adapter versions as PEFT folders, for an engine that loads them by path.

Whatever is put is written whole; a version that nobody has asked for the longest is deleted.
"""

from __future__ import annotations

import shutil
from collections import OrderedDict
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import torch

from twinkle_jupyter.engine.adapter_layout import AdapterLayout
from twinkle_jupyter.engine.checkpoint import read_spec, write_peft_files
from twinkle_jupyter.engine.injection import LinearSite
from twinkle_jupyter.errors import InvalidConfigError, InvalidDataError, NotFoundError
from twinkle_jupyter.ids import AdapterId, AdapterVersion
from twinkle_jupyter.sampler.interface import AdapterSnapshot, SampleRequest
from twinkle_jupyter.scheduling.request import AdapterSpec


@dataclass(frozen=True, slots=True)
class AdapterFolder:
    """One version of an adapter on disk."""

    #: Never used twice.
    number: int
    version: AdapterVersion
    folder: Path


class AdapterFiles:
    """Versions by adapter.

    Args:
        home: A folder of this sampler alone.
        sites: The base model's linear layers.
        base_model_name: As people know it.
        fingerprint: Of the base model.
        max_rank: What the engine takes.
        max_folders: Versions that are kept, of all adapters together.
    """

    def __init__(
        self,
        home: Path,
        sites: tuple[LinearSite, ...],
        base_model_name: str,
        fingerprint: str,
        *,
        max_rank: int,
        max_folders: int = 64,
    ) -> None:
        self._home = home
        self._sites = sites
        self._base_model_name = base_model_name
        self._fingerprint = fingerprint
        self._max_rank = max_rank
        self._max_folders = max_folders
        self._numbers = count(1)
        #: The one used longest ago first.
        self._folders: OrderedDict[tuple[AdapterId, AdapterVersion], AdapterFolder] = OrderedDict()
        self._newest: dict[AdapterId, AdapterVersion] = {}

    def __len__(self) -> int:
        return len(self._newest)

    def put(self, snapshot: AdapterSnapshot) -> None:
        """Write these weights; they are the adapter's default from now on."""
        self._check_rank(snapshot.spec)
        layout = AdapterLayout.of(self._sites, snapshot.spec)
        if snapshot.weights.shape != (layout.num_parameters,):
            raise InvalidDataError(
                f"A snapshot of rank {snapshot.spec.rank} has {layout.num_parameters} numbers on"
                f" this base model, not {tuple(snapshot.weights.shape)}."
            )
        number = next(self._numbers)
        folder = self._home / str(number)
        folder.mkdir(parents=True)
        weights = torch.tensor(snapshot.weights)
        write_peft_files(folder, snapshot.spec, layout, weights, self._base_model_name)
        key = (snapshot.adapter_id, snapshot.version)
        self._drop(key)
        self._folders[key] = AdapterFolder(number, snapshot.version, folder)
        self._newest[snapshot.adapter_id] = snapshot.version
        while len(self._folders) > self._max_folders:
            self._drop(next(iter(self._folders)))

    def find(self, request: SampleRequest) -> AdapterFolder | None:
        """Return the version that is to answer; None for the base model.

        Raises:
            NotFoundError: It is neither here nor in the request's checkpoint.
            InvalidDataError: The checkpoint is broken, or another base model's.
            InvalidConfigError: Its rank is more than the engine takes.
        """
        if request.adapter_id is None:
            return None
        adapter_id = request.adapter_id
        version = self._newest.get(adapter_id) if request.version is None else request.version
        if version is not None and (adapter_id, version) in self._folders:
            self._folders.move_to_end((adapter_id, version))
            return self._folders[adapter_id, version]
        if not request.checkpoint:
            raise NotFoundError(f"Adapter {adapter_id!r} is not on this sampler in that version.")
        folder = Path(request.checkpoint)
        spec, step = read_spec(folder, self._fingerprint)
        self._check_rank(spec)
        if request.version is not None and step != request.version:
            raise NotFoundError(
                f"Checkpoint {folder.name!r} of adapter {adapter_id!r} is version {step}, not"
                f" {request.version}."
            )
        found = AdapterFolder(next(self._numbers), AdapterVersion(step), folder)
        self._folders[adapter_id, found.version] = found
        return found

    def remove(self, adapter_id: AdapterId) -> None:
        """Forget all versions, if there are any."""
        self._newest.pop(adapter_id, None)
        for key in [key for key in self._folders if key[0] == adapter_id]:
            self._drop(key)

    def _check_rank(self, spec: AdapterSpec) -> None:
        if spec.rank > self._max_rank:
            raise InvalidConfigError(
                f"rank={spec.rank} is more than this sampler takes, which is {self._max_rank}.",
                "`sampler.engine: torch` takes any.",
            )

    def _drop(self, key: tuple[AdapterId, AdapterVersion]) -> None:
        dropped = self._folders.pop(key, None)
        # Checkpoints are not ours to delete.
        if dropped is not None and dropped.folder.parent == self._home:
            shutil.rmtree(dropped.folder, ignore_errors=True)
