"""A service small enough to start in a tenth of a second: a real process behind the real protocol.

Its one run, `run_a`, gets an event every 20 ms, counted from when the file `BEGAN` was written, so
that a restarted service goes on with the same log. Arguments: the folder of that file, then
optionally `fail`, `hold-stdin` or `deaf`. Each question for the overview leaves a line in `ASKED`.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from twinkle_jupyter.client.discovery import Connection, remove_connection, write_connection

API_KEY = "tml-small"
NUM_STEPS = 100
NUM_EVENTS = NUM_STEPS + 1
EVENT_S = 0.02


def entry(position: int) -> dict[str, object]:
    if position == NUM_EVENTS:
        return {"kind": "state", "state": "finished", "step": NUM_STEPS}
    return {"kind": "step", "step": position, "loss": 1 / position}


class Routes(BaseHTTPRequestHandler):
    began = 0.0
    folder = Path()
    protocol_version = "HTTP/1.0"

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        """Stay quiet."""

    def num_events(self) -> int:
        return min(NUM_EVENTS, int((time.monotonic() - self.began) / EVENT_S))

    def answer(self, body: object, status: int = 200) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        num_events = self.num_events()
        state = "finished" if num_events == NUM_EVENTS else "running"
        bodies: dict[str, object] = {
            "/healthz": {"status": "ok"},
            "/api/v1/service": {
                "phase": "ready",
                "version": "small",
                "pid": os.getpid(),
                "base_models": ["small-model"],
            },
            "/api/v1/runs/run_a": {"state": state, "last_event_id": num_events},
            "/api/v1/echo": {"query": url.query},
        }
        if url.path != "/healthz" and self.headers.get("Authorization") != f"Bearer {API_KEY}":
            self.answer({"error": {"code": "not_allowed", "message": "", "hint": ""}}, 401)
        elif url.path in bodies:
            self.answer(bodies[url.path])
        elif url.path == "/api/v1/overview":
            self.answer(self.overview(parse_qs(url.query).get("seen", [""])[0]))
        elif url.path == "/api/v1/runs/run_a/events":
            self.stream(int(parse_qs(url.query)["after"][0]))
        else:
            error = {"code": "not_found", "message": "There is no such run.", "hint": ""}
            self.answer({"error": error}, 404)

    def overview(self, seen: str) -> dict[str, object]:
        """Return what there is once it is another than what was seen: two runs, one goes on."""
        with (self.folder / "ASKED").open("a", encoding="ascii") as asked:
            asked.write(f"{seen}\n")
        while (tag := str(self.num_events())) == seen:
            time.sleep(EVENT_S)
        runs = [{"run_id": "run_a", "step": int(tag)}, {"run_id": "run_b", "step": 7}]
        told = {"version": "small", "phase": "ready", "message": ""}
        return {"tag": tag, **told, "runs": runs, "adapters": []}

    def do_POST(self) -> None:
        if self.headers.get("Transfer-Encoding") == "chunked":
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
        else:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.answer({"path": self.path, "body": body.decode()}, 201)

    def stream(self, after: int) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        while after < NUM_EVENTS:
            for position in range(after + 1, self.num_events() + 1):
                event = entry(position)
                lines = f"id: {position}\nevent: {event['kind']}\ndata: {json.dumps(event)}\n\n"
                self.wfile.write(lines.encode())
                after = position
            time.sleep(EVENT_S)


def main(folder: Path, manner: str = "") -> None:
    if manner == "fail":
        sys.exit("The base model is not there")
    if manner == "deaf":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if manner == "hold-stdin":  # as Ray's processes do
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
        (folder / f"GRANDCHILD-{os.getpid()}").write_text(str(child.pid), encoding="ascii")
    began = folder / "BEGAN"
    if not began.exists():
        began.write_text(str(time.monotonic()), encoding="ascii")
    Routes.folder = folder
    Routes.began = float(began.read_text(encoding="ascii"))
    server = ThreadingHTTPServer(("127.0.0.1", 0), Routes)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    write_connection(
        Connection(f"http://127.0.0.1:{server.server_port}", API_KEY, os.getpid(), "small")
    )
    sys.stdin.read()
    if manner == "deaf":
        time.sleep(60)
    remove_connection(os.getpid())


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
