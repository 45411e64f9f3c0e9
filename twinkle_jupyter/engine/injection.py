"""Puts a `LoraLinear` around every linear layer of the decoder; the output head stays as it is.

The same set as PEFT's `target_modules="all-linear"`, in the model's own module order, which is the
order of every adapter's layout.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from torch import nn
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from twinkle_jupyter.engine.lora_linear import AdapterRouter, LoraLinear
from twinkle_jupyter.errors import InvalidConfigError


@dataclass(frozen=True, slots=True)
class LinearSite:
    """One wrapped linear layer."""

    #: Module path in the base model, as in `model.layers.0.self_attn.q_proj`.
    name: str
    in_features: int
    out_features: int


@dataclass(frozen=True, slots=True, eq=False)
class Injection:
    """The wrapped layers of one model and the router they all look at."""

    sites: tuple[LinearSite, ...]
    router: AdapterRouter
    linears: tuple[LoraLinear, ...]

    def number_the_rest(
        self, groups: tuple[tuple[int, ...], ...], taken: Collection[int]
    ) -> tuple[tuple[int, ...], ...]:
        """Return `groups` with one more for each linear that is not in `taken`."""
        numbered = list(groups)
        for linear in self.linears:
            if linear.index not in taken:
                linear.group = len(numbered)
                numbered.append((linear.index,))
        return tuple(numbered)


def inject_adapters(model: PreTrainedModel) -> Injection:
    """Wrap the linear layers of `model` in place.

    Raises:
        InvalidConfigError: The architecture keeps its weights in another kind of layer.
    """
    head = model.get_output_embeddings()  # type: ignore[no-untyped-call]
    linears: list[tuple[str, nn.Linear]] = []
    for name, module in model.named_modules():
        if isinstance(module, Conv1D):
            raise InvalidConfigError(
                f"Base models of type {model.config.model_type!r} have no linear layers that an"
                " adapter can be put on.",
                "Llama, Qwen, Gemma, Mistral and Phi kinds have.",
            )
        if isinstance(module, nn.Linear) and module is not head:
            linears.append((name, module))
    if not linears:
        raise InvalidConfigError(
            f"Base models of type {model.config.model_type!r} have no linear layers."
        )
    router = AdapterRouter()
    wrapped = []
    for index, (name, linear) in enumerate(linears):
        parent_name, _, child_name = name.rpartition(".")
        wrapped.append(LoraLinear(linear, index, router))
        setattr(model.get_submodule(parent_name), child_name, wrapped[-1])
    sites = tuple(
        LinearSite(name, linear.in_features, linear.out_features) for name, linear in linears
    )
    return Injection(sites, router, tuple(wrapped))
