"""A base model's chat template with its tokenizer: the one renderer for training and sampling.

Text is rendered by `transformers`' own template environment and tokenised by `tokenizers` without
added special tokens, since the template writes them itself. Neither loads torch.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Self, TypeAlias, cast

from jinja2 import TemplateError
from tokenizers import Tokenizer

from twinkle_jupyter.config.model_folder import read_template_text
from twinkle_jupyter.errors import InvalidConfigError, InvalidDataError
from twinkle_jupyter.templates.encoded_conversation import EncodedConversation
from twinkle_jupyter.templates.loss_mask import (
    LossMask,
    Span,
    choose_marked_spans,
    count_same,
    find_learned_turns,
    find_turn_spans,
    weigh_tokens,
)
from twinkle_jupyter.templates.message_form import (
    PLAIN_FORM,
    MessageForm,
    Messages,
    Tools,
    find_message_form,
)
from twinkle_jupyter.templates.tokenizer_files import (
    read_end_ids,
    read_special_tokens,
    read_tokenizer,
    read_vocabulary_size,
)
from twinkle_jupyter.templates.tool_form import CallForm, find_call_form
from twinkle_jupyter.templates.turn_ends import find_turn_ends

_Render: TypeAlias = "Callable[..., tuple[list[str], list[list[tuple[int, int]]]]]"

_MARK = re.compile(r"\{%-?\s*generation\s*-?%\}")


@dataclass(frozen=True, slots=True, eq=False)
class ChatTemplate:
    """Conversations to token ids and back, the way one base model was trained to read them."""

    tokenizer: Tokenizer
    #: Jinja source.
    source: str
    #: Ids that end an answer: the model's own end tokens and the one that closes a turn.
    stop_token_ids: frozenset[int] = frozenset()
    #: None for a model without one.
    bos_token_id: int | None = None
    #: `bos_token`, `eos_token` and the like, for the template.
    special_tokens: Mapping[str, str] = field(default_factory=dict)
    #: How it wants its messages.
    form: MessageForm = PLAIN_FORM
    #: How many tokens the model has weights for; None where that is not known.
    vocabulary_size: int | None = None
    #: How it has functions called; None where it has no place for them.
    call_form: CallForm | None = None

    @classmethod
    def load(cls, model_folder: Path) -> Self:
        """Read tokenizer and template of a base model's folder.

        Raises:
            InvalidConfigError: One of the two is missing or unreadable.
        """
        source = read_template_text(model_folder)
        if source is None:
            raise InvalidConfigError(
                f"Base model `{model_folder}` has no chat template.",
                "Name an instruct model: its folder has a chat_template.jinja.",
            )
        tokenizer = read_tokenizer(model_folder)
        special = read_special_tokens(model_folder)
        ends = read_end_ids(model_folder, tokenizer, special)
        template = cls.build(tokenizer, source, special, ends)
        return replace(template, vocabulary_size=read_vocabulary_size(model_folder))

    @classmethod
    def build(
        cls,
        tokenizer: Tokenizer,
        source: str,
        special_tokens: Mapping[str, str],
        end_ids: frozenset[int] = frozenset(),
    ) -> Self:
        """Find out how a template wants its messages and ends an answer.

        Args:
            tokenizer: Has the template's special tokens.
            source: Jinja.
            special_tokens: `bos_token`, `eos_token` and the like.
            end_ids: Of tokens that are known to end an answer.
        """
        bare = cls(tokenizer, source, end_ids, special_tokens=special_tokens)
        form = find_message_form(lambda messages, form: replace(bare, form=form).render(messages))
        bos = special_tokens.get("bos_token")
        bos_id = tokenizer.token_to_id(bos) if bos else None
        formed = replace(bare, form=form, bos_token_id=bos_id)
        special = tokenizer.get_added_tokens_decoder()
        ends = find_turn_ends(
            formed.render, lambda text: [i for i in formed.tokenise(text) if i in special]
        )
        call_form = find_call_form(formed.render)
        return replace(formed, stop_token_ids=end_ids | ends, call_form=call_form)

    def render(self, messages: Messages, *, with_prompt: bool = False, tools: Tools = ()) -> str:
        """Return the conversation as text; `with_prompt` also opens the assistant's next turn.

        Args:
            messages: Turns, by role and content.
            with_prompt: Whether the assistant's turn is next.
            tools: Functions that it may call, as JSON schemas.

        Raises:
            InvalidDataError: The template refuses the conversation.
        """
        return self._render(messages, with_prompt=with_prompt, tools=tools)[0]

    def encode_prompt(
        self, messages: Messages, *, tools: Tools = (), opening: str = ""
    ) -> tuple[int, ...]:
        """Return what the model reads before it answers `messages`.

        Args:
            messages: Turns, by role and content.
            tools: Functions that it may call, as JSON schemas.
            opening: What its answer begins with.

        Raises:
            InvalidDataError: The template refuses the conversation.
        """
        return self.tokenise(self.render(messages, with_prompt=True, tools=tools) + opening)

    def encode_conversation(
        self, messages: Messages, loss_mask: LossMask = "all-assistant", tools: Tools = ()
    ) -> EncodedConversation:
        """Return the whole conversation, weight 1 on what the assistant says and its stop token.

        Raises:
            PromptDiffersError: The template writes earlier turns otherwise once later ones follow,
                so that no mask would be true.
            InvalidDataError: The template refuses the conversation.
        """
        text, spans = self.find_spans(messages, loss_mask, tools)
        token_ids = self.tokenise(text)
        weights = weigh_tokens(
            token_ids,
            [self._span_of_tokens(span, text, token_ids) for span in spans],
            self.stop_token_ids,
            lambda ids: not self.tokenizer.decode(list(ids), skip_special_tokens=False).strip(),
        )
        answers = [
            turn
            for turn in find_learned_turns(messages, loss_mask)
            if messages[turn]["role"] == "assistant"
        ]
        prompts = [self.render(messages[:i], with_prompt=True, tools=tools) for i in answers]
        read = [self.tokenise(prompt) for prompt in prompts]
        differing = (
            self.tokenizer.decode(
                list(ids[count_same(ids, token_ids) :]), skip_special_tokens=False
            )
            for prompt, ids in zip(prompts, read, strict=True)
            if not text.startswith(prompt)
        )
        matches = all(token_ids[: len(ids)] == ids for ids in read)
        return EncodedConversation(token_ids, weights, text, matches, next(differing, ""))

    def find_spans(
        self, messages: Messages, loss_mask: LossMask, tools: Tools = ()
    ) -> tuple[str, list[Span]]:
        """Return the conversation as text, and which characters of it are learned.

        Raises as `encode_conversation`.
        """
        text, marks = self._render(messages, with_marks=self.has_marks, tools=tools)
        if loss_mask == "all":
            return text, [Span(0, len(text))]
        turns = find_learned_turns(messages, loss_mask)
        render = partial(self.render, tools=tools)
        end = self.special_tokens.get("eos_token", "")
        if not self.has_marks:
            return text, find_turn_spans(messages, text, turns, render, end)
        asked = {i: weight for i, weight in turns.items() if messages[i]["role"] != "assistant"}
        spans = choose_marked_spans(messages, text, turns, marks, render)
        return text, spans + find_turn_spans(messages, text, asked, render, end)

    def tokenise(self, text: str) -> tuple[int, ...]:
        """Return the ids of a text that the template wrote."""
        return tuple(self.tokenizer.encode(text, add_special_tokens=False).ids)

    def encode_text(self, text: str) -> tuple[int, ...]:
        """Return a text as the tokenizer reads it by itself, with what it puts around it."""
        return tuple(self.tokenizer.encode(text).ids)

    def token_text(self, token_id: int) -> str:
        """Return what one token stands for, a special one included."""
        return self.tokenizer.decode([token_id], skip_special_tokens=False)

    def find_places(self, text: str) -> list[tuple[int, int]]:
        """Return (T,) for each token of `text` its first character and the one after its last."""
        return list(self.tokenizer.encode(text, add_special_tokens=False).offsets)

    def count_shared(self, messages: Messages, token_ids: Sequence[int], tools: Tools = ()) -> int:
        """Count the tokens with which both `messages` and `token_ids` begin.

        0 where the template refuses `messages`: some want a user's turn after the system's.
        """
        try:
            text = self.render(messages, tools=tools)
        except InvalidDataError:
            return 0
        return count_same(self.tokenise(text), tuple(token_ids))

    def decode(self, token_ids: Sequence[int]) -> str:
        """Return the text of `token_ids`, special tokens left out."""
        return self.tokenizer.decode(list(token_ids), skip_special_tokens=True)

    @property
    def unknown_token_id(self) -> int | None:
        """What the tokenizer writes for text that it has no token for, if it has such a token."""
        name = getattr(self.tokenizer.model, "unk_token", None)
        return self.tokenizer.token_to_id(name) if name else None

    @property
    def special_token_ids(self) -> frozenset[int]:
        """Tokens that mark something and say nothing."""
        added = self.tokenizer.get_added_tokens_decoder()
        return frozenset(i for i, token in added.items() if token.special)

    @property
    def has_marks(self) -> bool:
        """Whether the template itself marks what the assistant generates."""
        return _MARK.search(self.source) is not None

    def _render(
        self,
        messages: Messages,
        *,
        with_prompt: bool = False,
        with_marks: bool = False,
        tools: Tools = (),
    ) -> tuple[str, list[Span]]:
        from transformers.utils.chat_template_utils import render_jinja_template

        try:
            # Its annotations know no template variables, and a str where a pair comes back.
            render = cast("_Render", render_jinja_template)
            texts, marks = render(
                [self.form.shape(messages)],
                tools=[dict(tool) for tool in tools] or None,
                chat_template=self.source,
                return_assistant_tokens_mask=with_marks,
                add_generation_prompt=with_prompt,
                **self.special_tokens,
            )
        # A template that adds what cannot be added fails as Python does.
        except (TemplateError, TypeError, ValueError, AttributeError, LookupError) as error:
            raise InvalidDataError(
                f"the model's template refuses this conversation: {error}."
            ) from error
        return texts[0], [Span(*mark) for mark in marks[0]] if with_marks else []

    def _span_of_tokens(self, span: Span, text: str, token_ids: tuple[int, ...]) -> Span:
        """Turn characters into token positions, by what their prefixes become.

        Character offsets would do, but tokenizers trim white space from them as they like.
        """
        start = count_same(self.tokenise(text[: span.start]), token_ids)
        end = count_same(self.tokenise(text[: span.end]), token_ids)
        return Span(start, max(start, end), span.weight)
