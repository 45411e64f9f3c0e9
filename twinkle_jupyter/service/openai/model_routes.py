"""`models`: every name that a request may give."""

from __future__ import annotations

from fastapi import APIRouter

from twinkle_jupyter.errors import NotFoundError
from twinkle_jupyter.service.asker import CurrentAsker
from twinkle_jupyter.service.openai.models import list_models
from twinkle_jupyter.service.openai.route import OpenAiRoute
from twinkle_jupyter.service.parts import Parts
from twinkle_jupyter.wire.openai import ModelCard, ModelList

router = APIRouter(tags=["openai"], route_class=OpenAiRoute)


@router.get("/models")
async def get_models(parts: Parts, asker: CurrentAsker) -> ModelList:
    """List base models, the user's adapters and what they have saved."""
    return ModelList(data=await list_models(parts, asker))


@router.get("/models/{name:path}")
async def get_model(name: str, parts: Parts, asker: CurrentAsker) -> ModelCard:
    """Describe one of them."""
    cards = {card.id: card for card in await list_models(parts, asker)}
    if name not in cards:
        raise NotFoundError(f"There is no model {name!r}.", f"There are: {', '.join(cards)}.")
    return cards[name]
