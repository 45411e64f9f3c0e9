"""`chat/completions`: the next turn of a conversation, whole or as it is written."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from twinkle_jupyter.errors import InvalidConfigError
from twinkle_jupyter.service.asker import CurrentAsker
from twinkle_jupyter.service.leaving import unless_left
from twinkle_jupyter.service.openai.answers import Generation, read_settings, read_stop_texts
from twinkle_jupyter.service.openai.chat_answers import ChatAnswers
from twinkle_jupyter.service.openai.counted import Counted
from twinkle_jupyter.service.openai.models import find_model
from twinkle_jupyter.service.openai.route import OpenAiRoute
from twinkle_jupyter.service.openai.stream import stream
from twinkle_jupyter.service.openai.tool_use import read_messages, read_tool_use
from twinkle_jupyter.service.parts import Parts
from twinkle_jupyter.wire.openai import ChatBody

router = APIRouter(tags=["openai"], route_class=OpenAiRoute)


@router.post("/chat/completions", response_model=None)
async def complete_chat(
    body: ChatBody, request: Request, parts: Parts, asker: CurrentAsker
) -> Response:
    """Answer a conversation."""
    _refuse_what_is_not_there(body)
    messages = read_messages(body.messages)
    settings = read_settings(body, body.max_completion_tokens or body.max_tokens)
    source = await find_model(parts, asker, body.model, body.adapter_uri)
    template = source.compute.template
    tool_use = read_tool_use(body, template)
    prompt = await asyncio.to_thread(
        template.encode_prompt, messages, tools=tool_use.tools, opening=tool_use.opening
    )
    order = replace(source.request(prompt, settings), num_top=body.top_logprobs or 0)
    generation = Generation(source, order, body.n or 1, read_stop_texts(body), parts.places)
    answers = ChatAnswers(body, generation, template, tool_use)
    counted = Counted(await parts.quotas.admit_prompts(asker.owner, [prompt]), [generation])
    if body.stream:
        return stream(counted.stream(answers.chunks()))
    return JSONResponse(await unless_left(request, counted.whole(answers.whole())))


def _refuse_what_is_not_there(body: ChatBody) -> None:
    if body.response_format is not None and body.response_format.type != "text":
        raise InvalidConfigError(f"response_format {body.response_format.type!r} is not there.")
    if body.top_logprobs and not body.logprobs:
        raise InvalidConfigError("top_logprobs needs logprobs=true.")
