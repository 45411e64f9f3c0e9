"""`POST /tokens`: a row as tokens, for the ribbon; the kernel needs no tokenizer for it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import cast, get_args

from fastapi import APIRouter, Request

from twinkle_jupyter.datasets.record_checks import check_records
from twinkle_jupyter.errors import InvalidConfigError
from twinkle_jupyter.service.asker import CurrentAsker
from twinkle_jupyter.service.base_model_names import check_name
from twinkle_jupyter.service.parts import Parts
from twinkle_jupyter.service.request_bodies import body_schema, read_body
from twinkle_jupyter.service.token_scores import find_scorer, name_of
from twinkle_jupyter.templates.chat_template import ChatTemplate
from twinkle_jupyter.templates.loss_mask import LossMask
from twinkle_jupyter.templates.message_form import Messages
from twinkle_jupyter.templates.token_view import TokenView, view_tokens
from twinkle_jupyter.wire.token_views import (
    RowFaultBody,
    TokenColumnsBody,
    TokensBody,
    TokenViewBody,
)

LOSS_MASKS: tuple[str, ...] = get_args(LossMask)

router = APIRouter(tags=["templates"])


@router.post("/tokens", openapi_extra=body_schema(TokensBody))
async def show_tokens(request: Request, parts: Parts, asker: CurrentAsker) -> TokenViewBody:
    """Return a conversation as tokens, with role, loss weight and place of each.

    With an adapter also how likely each token is to it, and to its base model.
    """
    body = await read_body(request, TokensBody)
    if body.loss_mask not in LOSS_MASKS:
        raise InvalidConfigError(
            f"`loss_mask={body.loss_mask}` is no rule.", f"There are: {', '.join(LOSS_MASKS)}."
        )
    record = {"messages": list(body.messages), "tools": list(body.tools)}
    [row] = check_records([record], "messages")
    scorer = None
    base_model = body.base_model or parts.config.base_model
    if body.adapter:
        scorer = await find_scorer(parts, asker, body.adapter, body.base_model)
        base_model = scorer.base_model
    await check_name(parts, asker.owner, base_model)
    await asyncio.to_thread(parts.check_base_model, base_model)
    # Whatever is loaded has the template of its folder; `parts` only promises what sampling needs.
    template = cast("ChatTemplate", (await parts.compute(base_model)).template)
    view = await asyncio.to_thread(
        view_tokens,
        cast("Messages", row["messages"]),
        template,
        cast("LossMask", body.loss_mask),
        body.max_length,
        body.tools,
        body.reasoning,
    )
    shown = _body(view, template, base_model, body.loss_mask)
    if scorer is None:
        return shown
    scores = await scorer.score(parts, shown.tokens.id, body.max_length)
    tokens = {"logprob": scores.adapter, "base_logprob": scores.base}
    return shown.model_copy(
        update={"adapter": name_of(body.adapter), "tokens": shown.tokens.model_copy(update=tokens)}
    )


def _body(
    view: TokenView, template: ChatTemplate, base_model: str, loss_mask: str
) -> TokenViewBody:
    drawn: Mapping[str, object] = {**view.to_json()}
    faults = cast("Sequence[object]", drawn.get("faults", ()))
    return TokenViewBody(
        base_model=base_model,
        loss_mask=loss_mask,
        loss_masks=LOSS_MASKS,
        max_length=view.max_length,
        num_learned=view.num_learned,
        stop_token_ids=tuple(sorted(template.stop_token_ids)),
        tokens=TokenColumnsBody.model_validate(drawn["tokens"]),
        faults=tuple(RowFaultBody.model_validate(fault) for fault in faults),
    )
