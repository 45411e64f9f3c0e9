"""An adapter of a Twinkle client, as clients of other protocols name it."""

from __future__ import annotations

from tests.service.twinkle.conftest import ROW, TwinkleUser


def test_its_whole_name_answers_its_owner_and_nobody_else(
    anna: TwinkleUser, ben: TwinkleUser
) -> None:
    whole = anna.add("parrot")
    anna.result("forward_backward", "parrot", inputs=[ROW])
    listed = anna.http.get("/api/v1/adapters").raise_for_status().json()["adapters"]
    assert whole in {one["name"] for one in listed}
    question = [{"role": "user", "content": "Hi"}]
    chat = {"model": whole, "messages": question, "max_tokens": 2}
    answer = anna.http.post("/v1/chat/completions", json=chat)
    assert answer.status_code == 200, answer.text
    assert ben.http.post("/v1/chat/completions", json=chat).status_code == 404
    # Its client is still there; that it is not found would be another answer.
    assert anna.http.delete(f"/api/v1/adapters/{whole}").status_code == 409
    assert ben.http.delete(f"/api/v1/adapters/{whole}").status_code == 404


def test_an_op_that_came_another_way_in_between_is_not_taken_for_the_next_one(
    anna: TwinkleUser,
) -> None:
    """The service remembers the number of its own last op, which is not the trainer's here."""
    whole = anna.add("shared")
    anna.do("set_optimizer", "shared", optimizer_cls="AdamW", lr=0.01)
    first = anna.result("forward_backward", "shared", inputs=[ROW])
    step = {"model_id": whole, "seq_id": 2, "adam_params": {"learning_rate": 0.1}}
    future = anna.http.post("/api/v1/optim_step", json=step).raise_for_status().json()
    anna.http.post("/api/v1/retrieve_future", json=future).raise_for_status()
    second = anna.result("forward_backward", "shared", inputs=[ROW])
    assert second["loss"] < first["loss"]
    assert anna.result("forward_backward", "shared", inputs=[ROW])["loss"] == second["loss"]
    anna.do("step", "shared")
    assert anna.result("forward_backward", "shared", inputs=[ROW])["loss"] < second["loss"]
