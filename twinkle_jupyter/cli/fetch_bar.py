"""A base model fetched with a bar in the terminal."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from twinkle_jupyter.launch.model_fetch import FetchProgress, ensure_base_model


def fetch_with_bar(base_model: str, console: Console) -> Path:
    """Return the model's folder; show what is done when it takes longer than a moment."""
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(f"Looking for {base_model}", total=None)

        def show(stage: FetchProgress) -> None:
            progress.update(
                task, description=stage.message, total=1.0, completed=stage.fraction or 0.0
            )

        return ensure_base_model(base_model, show)
