"""A base model's chat template with its tokenizer: the one renderer for training and sampling.

Text is rendered by `transformers`' own template environment and tokenised by `tokenizers` without
added special tokens, since the template writes them itself. Neither loads torch.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self, TypeAlias, cast

from jinja2 import TemplateError
from tokenizers import Tokenizer

from twinkle_jupyter.config.model_folder import read_json_object, read_template_text
from twinkle_jupyter.errors import InvalidConfigError, InvalidDataError
from twinkle_jupyter.templates.loss_mask import (
    LossMask,
    Messages,
    Span,
    choose_marked_spans,
    find_learned_turns,
    find_turn_spans,
    weigh_tokens,
)

_Render: TypeAlias = "Callable[..., tuple[list[str], list[list[tuple[int, int]]]]]"

_SPECIAL_NAMES = ("bos_token", "eos_token", "unk_token", "pad_token", "sep_token", "cls_token")
_MARK = re.compile(r"\{%-?\s*generation\s*-?%\}")


@dataclass(frozen=True, slots=True)
class EncodedConversation:
    """A whole conversation as tokens, with the loss weight of each."""

    #: (T,) ids.
    token_ids: tuple[int, ...]
    #: (T,) 1.0 where the token is to be learned, else 0.0.
    weights: tuple[float, ...]
    #: What was tokenised.
    text: str
    #: Whether the sampler reads the same tokens before each learned answer.
    prompts_match: bool = True


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
        tokenizer = _read_tokenizer(model_folder)
        special = _read_special_tokens(model_folder)
        bare = cls(tokenizer, source, special_tokens=special)
        stops = _read_end_ids(model_folder, tokenizer, special) | bare._find_turn_end()
        bos = tokenizer.token_to_id(special["bos_token"]) if "bos_token" in special else None
        return cls(tokenizer, source, stops, bos, special)

    def render(self, messages: Messages, *, with_prompt: bool = False) -> str:
        """Return the conversation as text; `with_prompt` also opens the assistant's next turn.

        Raises:
            InvalidDataError: The template refuses the conversation.
        """
        return self._render(messages, with_prompt=with_prompt)[0]

    def encode_prompt(self, messages: Messages) -> tuple[int, ...]:
        """Return what the model reads before it answers `messages`.

        Raises:
            InvalidDataError: The template refuses the conversation.
        """
        return self._tokenise(self.render(messages, with_prompt=True))

    def encode_conversation(
        self, messages: Messages, loss_mask: LossMask = "all-assistant"
    ) -> EncodedConversation:
        """Return the whole conversation, weight 1 on what the assistant says and its stop token.

        Raises:
            InvalidDataError: The template refuses the conversation, or writes earlier turns
                otherwise once later ones follow, so that no mask would be true.
        """
        text, marks = self._render(messages, with_marks=self.has_marks)
        turns = find_learned_turns(messages, loss_mask)
        if self.has_marks:
            spans = choose_marked_spans(messages, text, turns, marks, self.render)
        else:
            spans = find_turn_spans(messages, text, turns, self.render)
        token_ids = self._tokenise(text)
        weights = weigh_tokens(
            token_ids,
            [self._span_of_tokens(span, text, token_ids) for span in spans],
            self.stop_token_ids,
            lambda ids: not self.tokenizer.decode(list(ids), skip_special_tokens=False).strip(),
        )
        prompts = (self.encode_prompt(messages[:turn]) for turn in turns)
        matches = all(token_ids[: len(prompt)] == prompt for prompt in prompts)
        return EncodedConversation(token_ids, weights, text, matches)

    def encode_text(self, text: str) -> tuple[int, ...]:
        """Return a text as the tokenizer reads it by itself, with what it puts around it."""
        return tuple(self.tokenizer.encode(text).ids)

    def token_text(self, token_id: int) -> str:
        """Return what one token stands for, a special one included."""
        return self.tokenizer.decode([token_id], skip_special_tokens=False)

    def find_places(self, text: str) -> list[tuple[int, int]]:
        """Return (T,) for each token of `text` its first character and the one after its last."""
        return list(self.tokenizer.encode(text, add_special_tokens=False).offsets)

    def count_shared(self, messages: Messages, token_ids: Sequence[int]) -> int:
        """Count the tokens with which both `messages` and `token_ids` begin.

        0 where the template refuses `messages`: some want a user's turn after the system's.
        """
        try:
            text = self.render(messages)
        except InvalidDataError:
            return 0
        return _count_common(self._tokenise(text), tuple(token_ids))

    def decode(self, token_ids: Sequence[int]) -> str:
        """Return the text of `token_ids`, special tokens left out."""
        return self.tokenizer.decode(list(token_ids), skip_special_tokens=True)

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
        self, messages: Messages, *, with_prompt: bool = False, with_marks: bool = False
    ) -> tuple[str, list[Span]]:
        from transformers.utils.chat_template_utils import render_jinja_template

        try:
            # Its annotations know no template variables, and a str where a pair comes back.
            render = cast("_Render", render_jinja_template)
            texts, marks = render(
                [[dict(message) for message in messages]],
                chat_template=self.source,
                return_assistant_tokens_mask=with_marks,
                add_generation_prompt=with_prompt,
                **self.special_tokens,
            )
        except TemplateError as error:
            raise InvalidDataError(
                f"the model's template refuses this conversation: {error}."
            ) from error
        return texts[0], [Span(*mark) for mark in marks[0]] if with_marks else []

    def _tokenise(self, text: str) -> tuple[int, ...]:
        return tuple(self.tokenizer.encode(text, add_special_tokens=False).ids)

    def _span_of_tokens(self, span: Span, text: str, token_ids: tuple[int, ...]) -> Span:
        """Turn characters into token positions, by what their prefixes become.

        Character offsets would do, but tokenizers trim white space from them as they like.
        """
        start = _count_common(self._tokenise(text[: span.start]), token_ids)
        return Span(start, max(start, _count_common(self._tokenise(text[: span.end]), token_ids)))

    def _find_turn_end(self) -> frozenset[int]:
        """Return the special token that the template writes after an answer, if it writes one."""
        answer = "Xyzzy"
        try:
            text = self.render(
                [{"role": "user", "content": "-"}, {"role": "assistant", "content": answer}]
            )
        except InvalidDataError:
            # A template that wants more than this of a conversation names its end in the config.
            return frozenset()
        _, _, tail = text.rpartition(answer)
        special = self.tokenizer.get_added_tokens_decoder()
        return frozenset([i for i in self._tokenise(tail) if i in special][:1])


def _count_common(prefix: tuple[int, ...], token_ids: tuple[int, ...]) -> int:
    pairs = zip(prefix, token_ids, strict=False)
    return next((i for i, (a, b) in enumerate(pairs) if a != b), min(len(prefix), len(token_ids)))


def _read_tokenizer(folder: Path) -> Tokenizer:
    try:
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    # The Rust side raises plain Exception, for a missing file as for a cut one.
    except Exception as error:
        raise InvalidConfigError(
            f"The tokenizer of base model `{folder}` cannot be read: {error}."
        ) from error
    # A tokenizer file may ask to cut or pad; max_length is the run's to choose.
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def _read_special_tokens(folder: Path) -> dict[str, str]:
    tokens: dict[str, str] = {}
    for file in ("special_tokens_map.json", "tokenizer_config.json"):
        values = read_json_object(folder / file)
        for name in _SPECIAL_NAMES:
            value = values.get(name)
            text = value.get("content") if isinstance(value, dict) else value
            if isinstance(text, str):
                tokens[name] = text
    return tokens


def _read_end_ids(folder: Path, tokenizer: Tokenizer, special: Mapping[str, str]) -> frozenset[int]:
    ids: set[int] = set()
    for file in ("generation_config.json", "config.json"):
        value = read_json_object(folder / file).get("eos_token_id")
        ids.update(i for i in (value if isinstance(value, list) else [value]) if type(i) is int)
    eos = tokenizer.token_to_id(special["eos_token"]) if "eos_token" in special else None
    return frozenset(ids if eos is None else ids | {eos})
