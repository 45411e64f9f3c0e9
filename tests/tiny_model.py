"""Builds a real two-layer model and tokenizer in about a second; no download."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    AutoModelForCausalLM,
    Gemma2Config,
    Gemma3TextConfig,
    GenerationConfig,
    GPTNeoXConfig,
    LlamaConfig,
    MistralConfig,
    Phi3Config,
    PretrainedConfig,
    Qwen2Config,
    Qwen3Config,
    SmolLM3Config,
)

Kind = Literal["llama", "qwen", "qwen3", "gemma", "gemma2", "mistral", "phi3", "smollm3", "neox"]

END_OF_TEXT, TURN_START, TURN_END = "<|endoftext|>", "<|im_start|>", "<|im_end|>"
CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
_TEXT = (
    "Who are you? I am Twinkle, a small model that learns while you watch.",
    "The capital of France is Paris, and the capital of Japan is Tokyo.",
    "system user assistant tool: what is your name and what can you do today?",
    "One fish, two fish, red fish, blue fish. Seven times eight is fifty-six.",
)
_VOCABULARY = 400


def build_tiny_model(
    folder: Path, kind: Kind = "llama", seed: int = 0, words: Sequence[str] = ()
) -> Path:
    """Write a model of this kind with random weights and a chat tokenizer; return `folder`.

    It can learn which token follows which, and little more: what it is to say has `words` of its
    own.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = train_tokenizer()
    tokenizer.add_tokens(list(words))
    tokenizer.save(str(folder / "tokenizer.json"))
    turn_end, end_of_text = tokenizer.token_to_id(TURN_END), tokenizer.token_to_id(END_OF_TEXT)
    (folder / "tokenizer_config.json").write_text(
        json.dumps(
            {
                "tokenizer_class": "PreTrainedTokenizerFast",
                "bos_token": TURN_START,
                "eos_token": TURN_END,
                "pad_token": END_OF_TEXT,
                "clean_up_tokenization_spaces": False,
                "model_max_length": 256,
            }
        )
    )
    (folder / "chat_template.jinja").write_text(CHAT_TEMPLATE)
    config = _build_config(kind, tokenizer.get_vocab_size())
    config.bos_token_id = tokenizer.token_to_id(TURN_START)
    config.eos_token_id = turn_end
    config.pad_token_id = end_of_text
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = AutoModelForCausalLM.from_config(  # type: ignore[no-untyped-call]
            config, dtype=torch.float32
        )
    model.generation_config = GenerationConfig(  # type: ignore[no-untyped-call]
        bos_token_id=config.bos_token_id, eos_token_id=turn_end, pad_token_id=end_of_text
    )
    model.save_pretrained(folder)
    return folder


def train_tokenizer() -> Tokenizer:
    """Return a small byte-level tokenizer with the special tokens of ChatML."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=_VOCABULARY,
        special_tokens=[END_OF_TEXT, TURN_START, TURN_END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_TEXT, trainer)
    return tokenizer


def _build_config(kind: Kind, vocabulary: int) -> PretrainedConfig:
    shape: dict[str, Any] = {
        "vocab_size": vocabulary,
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 256,
        # Larger than usual, so that greedy answers of an untrained model are not one token over.
        "initializer_range": 0.2,
    }
    return _CONFIGS[kind](shape)


_CONFIGS: dict[Kind, Callable[[dict[str, Any]], PretrainedConfig]] = {
    "llama": lambda shape: LlamaConfig(**shape, tie_word_embeddings=True),
    "qwen": lambda shape: Qwen2Config(**shape, tie_word_embeddings=False),
    # Normed heads, wider together than the model.
    "qwen3": lambda shape: Qwen3Config(**shape, head_dim=16, tie_word_embeddings=True),
    # A window shorter than the tests' rows, normed queries, capped logits, scaled embedding.
    "gemma": lambda shape: Gemma3TextConfig(
        **shape,
        head_dim=8,
        query_pre_attn_scalar=8,
        sliding_window=16,
        layer_types=["sliding_attention", "full_attention"],
        final_logit_softcapping=30.0,
        tie_word_embeddings=True,
    ),
    "gemma2": lambda shape: Gemma2Config(
        **shape, head_dim=8, query_pre_attn_scalar=8, tie_word_embeddings=True
    ),
    "mistral": lambda shape: MistralConfig(**shape, sliding_window=16, tie_word_embeddings=False),
    "smollm3": lambda shape: SmolLM3Config(
        # Every second layer has no positions.
        **shape,
        no_rope_layers=[1, 0],
        pad_token_id=0,
        tie_word_embeddings=True,
    ),
    # LayerNorm, and attention beside the MLP: such layers are not taken over.
    "neox": lambda shape: GPTNeoXConfig(
        **{name: value for name, value in shape.items() if name != "num_key_value_heads"},
        tie_word_embeddings=False,
    ),
    # One linear for q, k and v, one for gate and up; half of each head has positions.
    "phi3": lambda shape: Phi3Config(
        **shape,
        rope_parameters={
            "rope_type": "default",
            "rope_theta": 10_000.0,
            "partial_rotary_factor": 0.5,
        },
        tie_word_embeddings=False,
    ),
}
