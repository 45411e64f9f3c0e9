"""What belongs to another user is not found, whatever is asked of it; and what everybody sees."""

from __future__ import annotations

from tests.client.live_service import LiveService
from tests.service.twinkle.conftest import ROW, TwinkleUser
from twinkle_jupyter.client.client import Client
from twinkle_jupyter.client.discovery import Connection

#: Routes that make or tell something of the asker's own, or of nobody.
OPEN = {
    *("create", "add_adapter_to_model", "apply_patch", "add_adapter_to_sampler"),
    *("create_session", "healthz", "deep", "get_server_capabilities", "capacity_info", "status"),
}
FIELDS = {
    "inputs": [ROW],
    "loss_cls": "CrossEntropyLoss",
    "optimizer_cls": "AdamW",
    "scheduler_cls": "StepLR",
    "step_size": 2,
    "template_cls": "Template",
    "processor_cls": "InputProcessor",
    "metric_cls": "LossMetric",
    "function": "__len__",
    "hub_model_id": "me/there",
}


def test_nothing_of_anna_is_found_by_ben(
    live: LiveService, anna: TwinkleUser, ben: TwinkleUser
) -> None:
    whole = anna.add()
    saved = anna.model("save", name="kept").raise_for_status().json()["twinkle_path"]
    data = anna.processor("create", processor_type="dataset", class_type="Dataset")
    theirs = {
        "adapter_name": whole,
        "session_id": anna.session,
        "processor_id": data.json()["processor_id"],
        **dict.fromkeys(("name", "twinkle_path", "checkpoint_dir", "adapter_uri"), saved),
    }
    # Not even with the session's own name is it Ben's.
    ben.http.headers["X-Twinkle-Session-Id"] = anna.session
    asked = 0
    for path, methods in live.app.openapi()["paths"].items():
        for method, route in methods.items():
            name = path.rpartition("/")[2]
            if "twinkle" not in route["tags"] or name in OPEN:
                continue
            if (name, path.count("sampler")) == ("set_template", 1) or path.endswith("runs"):
                continue  # the asker's own
            url = path.replace("{model_id}", "tiny").replace("{run_id}", whole)
            url = url.replace("{checkpoint_id}", "weights/kept").replace("{request_id}", "req_1")
            answer = ben.http.request(method, url, json={**FIELDS, **theirs})
            assert answer.status_code == 404, (method, url, answer.text)
            assert set(answer.json()) == {"detail"}
            asked += 1
    assert asked == 33
    assert ben.gateway("add_adapter_to_model").status_code == 404
    assert ben.model("add_adapter_to_model", config={"r": 2}).status_code == 404
    assert ben.http.get("/api/v1/twinkle/training_runs").json()["training_runs"] == []
    assert anna.result("forward_backward", inputs=[ROW])["loss"] > 0
    assert anna.gateway("weights_info", twinkle_path=saved).json()["model_owner"] == "anna"


def test_the_service_says_whose_template_a_base_model_has(live: LiveService) -> None:
    client = Client(live.connection)
    with client:
        assert client.resolve_template_model_id("tiny") == "tiny"
        assert client.resolve_template_model_id("tiny", "mine") == "mine"
        assert client.resolve_template_model_id("unknown") == "unknown"
    with Client(Connection("http://127.0.0.1:9", "tml-x", 0, "0.1.0")) as nowhere:
        assert nowhere.resolve_template_model_id("tiny") == "tiny"


def test_the_service_tells_how_it_is(anna: TwinkleUser) -> None:
    answers = {
        name: anna.http.get(f"/api/v1/twinkle/{name}").json()
        for name in ("healthz", "healthz/deep", "get_server_capabilities", "status")
    }
    assert answers["healthz"] == {"status": "ok"}
    assert answers["healthz/deep"]["models"] == {"tiny": {"healthy": True, "status_code": 200}}
    [model] = answers["get_server_capabilities"]["supported_models"]
    assert model == {"model_name": "tiny", "template_init_model_id": "tiny"}
    assert answers["status"]["resources"]["sessions"] > 0
