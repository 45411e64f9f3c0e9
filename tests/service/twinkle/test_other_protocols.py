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
