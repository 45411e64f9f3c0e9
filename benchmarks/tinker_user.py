"""A client of the Tinker protocol as far as a benchmark needs one."""

from __future__ import annotations

import itertools

import httpx

#: Token ids of the one row that is trained on.
ROW = tuple(range(5, 37))


class TinkerUser:
    """Sends what a stock client sends, over one connection."""

    def __init__(self, http: httpx.AsyncClient, model: str) -> None:
        self._http = http
        self._base_model = model
        self._numbers = itertools.count(1)
        self.model_id = ""

    async def post(self, route: str, **body: object) -> dict[str, str]:
        answer = await self._http.post(f"/api/v1/{route}", json=body)
        found: dict[str, str] = answer.raise_for_status().json()
        return found

    async def result(self, request: dict[str, str]) -> None:
        body = {"request_id": request["request_id"]}
        while (await self._http.post("/api/v1/retrieve_future", json=body)).status_code == 408:
            pass

    async def begin(self) -> None:
        session = (await self.post("create_session"))["session_id"]
        made = await self.post(
            "create_model",
            session_id=session,
            model_seq_id=0,
            base_model=self._base_model,
            lora_config={"rank": 8, "seed": 1},
        )
        await self.result(made)
        self.model_id = made["model_id"]

    async def forward(self) -> None:
        """One future, from the request to its result."""
        datum = {
            "model_input": {"chunks": [{"tokens": ROW[:-1]}]},
            "loss_fn_inputs": {"target_tokens": {"data": ROW[1:], "dtype": "int64"}},
        }
        inputs = {"data": [datum], "loss_fn": "cross_entropy"}
        number = next(self._numbers)
        await self.result(
            await self.post("forward", model_id=self.model_id, seq_id=number, forward_input=inputs)
        )

    async def send_ahead(self) -> dict[str, str]:
        """Have an op taken in whose turn does not come."""
        number = next(self._numbers) + 100
        adam = {"learning_rate": 0.0}
        return await self.post(
            "optim_step", model_id=self.model_id, seq_id=number, adam_params=adam
        )
