"""A model hub's HTTP API, as far as a push needs it: repositories, upload modes, LFS, commits."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from typing import Any, Self

from fastapi import FastAPI, Request, Response

from tests.served_app import served

TOKEN = "hf_goodtoken"  # noqa: S105 - of no hub


@dataclass
class HubStandIn:
    """A hub of one user, `anna`, on a real socket."""

    #: Files by repository and path, as committed.
    repositories: dict[str, dict[str, bytes]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    _stored: dict[str, bytes] = field(default_factory=dict)

    def __enter__(self) -> Self:
        self._served = served(self._app())
        self.url = self._served.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._served.__exit__(None, None, None)

    def _app(self) -> FastAPI:
        app = FastAPI()

        @app.middleware("http")
        async def _gate(request: Request, call_next: Any) -> Response:
            is_upload = request.url.path.startswith("/lfs/")
            if not is_upload and request.headers.get("authorization") != f"Bearer {TOKEN}":
                return Response('{"error": "Invalid token"}', 401)
            answer: Response = await call_next(request)
            return answer

        app.post("/api/repos/create")(self._create)
        app.post("/api/models/{owner}/{name}/preupload/main")(self._choose_modes)
        app.post("/{owner}/{name}.git/info/lfs/objects/batch")(self._offer)
        app.put("/lfs/{oid}")(self._store)
        app.post("/api/models/{owner}/{name}/commit/main")(self._commit)
        return app

    async def _create(self, request: Request) -> Response:
        body = await request.json()
        if body["organization"] != "anna":
            return Response('{"error": "You have no rights to create a model here"}', 403)
        name = f"anna/{body['name']}"
        status = 409 if name in self.repositories else 200
        self.repositories.setdefault(name, {})
        return Response(json.dumps({"url": f"{self.url}/{name}"}), status)

    async def _choose_modes(self, owner: str, name: str, request: Request) -> dict[str, Any]:
        del owner, name
        files = [
            {
                "path": file["path"],
                "uploadMode": "lfs" if file["path"].endswith(".safetensors") else "regular",
                "shouldIgnore": False,
            }
            for file in (await request.json())["files"]
        ]
        return {"files": files}

    async def _offer(self, owner: str, name: str, request: Request) -> dict[str, Any]:
        del owner, name
        objects = [
            {**one, "actions": {"upload": {"href": f"{self.url}/lfs/{one['oid']}"}}}
            for one in (await request.json())["objects"]
        ]
        return {"transfer": "basic", "objects": objects}

    async def _store(self, oid: str, request: Request) -> Response:
        self._stored[oid] = await request.body()
        return Response()

    async def _commit(self, owner: str, name: str, request: Request) -> dict[str, Any]:
        files = self.repositories[f"{owner}/{name}"]
        for line in (await request.body()).splitlines():
            said = json.loads(line)
            value = said["value"]
            if said["key"] == "header":
                self.notes.append(value["summary"])
            elif said["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif said["key"] == "lfsFile":
                files[value["path"]] = self._stored[value["oid"]]
        oid = "0" * 40
        return {
            "success": True,
            "commitOid": oid,
            "commitUrl": f"{self.url}/{owner}/{name}/commit/{oid}",
        }
