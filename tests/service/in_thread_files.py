"""Exports and imports by the engine on a thread: what the process does, without its start."""

from __future__ import annotations

import asyncio
from pathlib import Path

from twinkle_jupyter.engine.exporting import ExportOrder, export_adapter
from twinkle_jupyter.engine.peft_import import import_peft
from twinkle_jupyter.service.adapter_files import ExportJob, ImportedShape, OnProgress


class InThread:
    """`AdapterFiles` for a base model that is named by its folder."""

    async def export(self, job: ExportJob, on_progress: OnProgress) -> int:
        """Write the folder; return its bytes."""
        order = ExportOrder(
            checkpoint=job.checkpoint,
            base_folder=Path(job.base_model),
            folder=job.folder,
            format=job.format,
            name=job.name,
            weight_type=job.weight_type,
        )
        await on_progress(0.0)
        return await asyncio.to_thread(export_adapter, order, lambda _: None)

    async def import_peft(self, folder: Path, base_model: str, checkpoint: Path) -> ImportedShape:
        """Write an adapter of PEFT's as a checkpoint."""
        spec = await asyncio.to_thread(
            import_peft, folder, Path(base_model), base_model, checkpoint
        )
        return ImportedShape(spec.rank, spec.alpha)
