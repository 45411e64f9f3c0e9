"""What the list of adapters says of each on demand: true of the trainer, the disk and the log."""

from __future__ import annotations

from pathlib import Path

import httpx

from tests.client.live_service import RECORDS, LiveService
from tests.service.one_of_everything import make_belongings
from twinkle_jupyter.client.client import Client
from twinkle_jupyter.config.run_config import RunConfig


def test_details_say_where_an_adapter_is_what_it_takes_and_whence_it_came(
    tmp_path: Path, tiny_model: Path
) -> None:
    with LiveService(tmp_path, model=tiny_model) as live, Client(live.connection) as client:
        headers = {"Authorization": f"Bearer {live.connection.api_key}"}
        with httpx.Client(base_url=live.connection.url, headers=headers, timeout=60) as http:
            made = make_belongings(live, http, with_exports=False)
        run = client.start_run(RunConfig(adapter="parrot", base_model="tiny"), RECORDS)
        live.change(run.run_id, parent_run=made.run, parent_step=40)

        plain = {one.name: one for one in client.adapters()}
        told = {one.name: one.details for one in client.adapters(details=True)}

        assert all(one.details is None for one in plain.values())
        parrot, trained = told["parrot"], told[made.model]
        assert parrot is not None
        assert (parrot.place, parrot.size_bytes, parrot.num_checkpoints) == ("", 0, 0)
        assert (parrot.parent, parrot.parent_step) == (made.adapter, 40)
        assert trained is not None
        assert (trained.place, trained.num_checkpoints, trained.parent) == ("active", 1, "")
        folder = Path(plain[made.model].folder)
        files = [path for path in folder.rglob("*") if path.is_file()]
        assert trained.size_bytes == sum(
            path.stat().st_size for path in files if path.name != "manifest.json"
        )
