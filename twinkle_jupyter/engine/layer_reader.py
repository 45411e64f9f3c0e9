"""Reads what a decoder layer is made of: from its parts, not from its architecture's name."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from twinkle_jupyter.engine.attention_half import AttentionHalf
from twinkle_jupyter.engine.frozen_linear import FrozenLinear
from twinkle_jupyter.engine.gated_mlp import GatedMlp
from twinkle_jupyter.engine.half_ends import NormedLinears, ResidualLinear
from twinkle_jupyter.engine.linear_kernel import LinearKernel
from twinkle_jupyter.engine.lora_linear import LoraLinear
from twinkle_jupyter.engine.norms import Norm, choose_norm
from twinkle_jupyter.engine.row_attention import AttentionShape

#: Children of a decoder layer beside attention and MLP.
_OTHER_PARTS = (
    "input_layernorm",
    "post_attention_layernorm",
    "pre_feedforward_layernorm",
    "post_feedforward_layernorm",
    # Dropout of Phi-3, which is off.
    "resid_attn_dropout",
    "resid_mlp_dropout",
)


class NotUnderstoodError(Exception):
    """A layer has a part that we do not know."""


class LayerReader:
    """Turns decoder layers whose linears are wrapped into halves.

    Args:
        base_groups: The wrapped linears that read the same input.
        dtype: What to compute in.
        kernel: What the linears multiply with.
    """

    def __init__(
        self,
        base_groups: tuple[tuple[int, ...], ...],
        dtype: torch.dtype,
        kernel: LinearKernel,
    ) -> None:
        self._kernel = kernel
        self._group_of = {
            index: number for number, group in enumerate(base_groups) for index in group
        }
        self._dtype = dtype
        #: Indexes of the linears that were read.
        self.taken: set[int] = set()

    def read(self, layer: nn.Module) -> tuple[AttentionHalf, GatedMlp]:
        """Read one layer.

        Raises:
            NotUnderstoodError: It has a part that we do not know.
        """
        attention, mlp = _part(layer, "self_attn"), _part(layer, "mlp")
        _expect_only(layer, {"self_attn", "mlp", *_OTHER_PARTS})
        if hasattr(layer, "pre_feedforward_layernorm"):
            return (
                self._read_attention(layer, attention, "post_attention_layernorm"),
                self._read_mlp(
                    layer, mlp, "pre_feedforward_layernorm", "post_feedforward_layernorm"
                ),
            )
        return (
            self._read_attention(layer, attention, None),
            self._read_mlp(layer, mlp, "post_attention_layernorm", None),
        )

    def _read_attention(
        self, layer: nn.Module, attention: nn.Module, norm_behind: str | None
    ) -> AttentionHalf:
        names = ("qkv_proj",) if hasattr(attention, "qkv_proj") else ("q_proj", "k_proj", "v_proj")
        head_names = ("q_norm", "k_norm") if hasattr(attention, "q_norm") else ()
        _expect_only(attention, {*names, *head_names, "o_proj"})
        head_dim = int(_number(attention, "head_dim"))
        out = self._read_out(layer, attention, "o_proj", norm_behind)
        shape = AttentionShape(
            num_heads=out.linear.weight.shape[1] // head_dim,
            num_kv_heads=int(_number(attention.config, "num_key_value_heads")),
            head_dim=head_dim,
            scale=_number(attention, "scaling"),
            window=_window(attention),
            soft_cap=getattr(attention, "attn_logit_softcapping", None),
        )
        return AttentionHalf(
            inner=self._read_inner(layer, attention, names, "input_layernorm"),
            head_norms=tuple(_read_head_norm(attention, name, self._dtype) for name in head_names),
            shape=shape,
            # SmolLM3 leaves some layers without positions, and says so with a number.
            has_positions=bool(getattr(attention, "use_rope", True)),
            out=out,
        )

    def _read_mlp(
        self, layer: nn.Module, mlp: nn.Module, norm_before: str, norm_behind: str | None
    ) -> GatedMlp:
        names = ("gate_up_proj",) if hasattr(mlp, "gate_up_proj") else ("gate_proj", "up_proj")
        activation_name = "act_fn" if hasattr(mlp, "act_fn") else "activation_fn"
        _expect_only(mlp, {*names, "down_proj", activation_name})
        return GatedMlp(
            inner=self._read_inner(layer, mlp, names, norm_before),
            activation=_part(mlp, activation_name),
            out=self._read_out(layer, mlp, "down_proj", norm_behind),
        )

    def _read_inner(
        self, layer: nn.Module, half: nn.Module, names: tuple[str, ...], norm: str
    ) -> NormedLinears:
        linears, group = self._linears(half, names)
        return NormedLinears(choose_norm(_part(layer, norm), self._dtype), linears, group)

    def _read_out(
        self, layer: nn.Module, half: nn.Module, name: str, norm: str | None
    ) -> ResidualLinear:
        (linear,), group = self._linears(half, (name,))
        behind = None if norm is None else choose_norm(_part(layer, norm), self._dtype)
        return ResidualLinear(linear, group, behind)

    def _linears(
        self, module: nn.Module, names: tuple[str, ...]
    ) -> tuple[tuple[FrozenLinear, ...], int]:
        wrapped = [_part(module, name) for name in names]
        linears = [linear for linear in wrapped if isinstance(linear, LoraLinear)]
        groups = {self._group_of[linear.index] for linear in linears}
        if len(linears) != len(names) or len(groups) != 1:
            raise NotUnderstoodError(f"{', '.join(names)} are not linear layers side by side")
        self.taken.update(linear.index for linear in linears)
        frozen = tuple(
            FrozenLinear(one.frozen.weight, one.frozen.bias, self._kernel) for one in linears
        )
        return frozen, groups.pop()


def _part(module: nn.Module, name: str) -> nn.Module:
    part = getattr(module, name, None)
    if not isinstance(part, nn.Module):
        raise NotUnderstoodError(f"{type(module).__name__} has no {name}")
    return part


def _read_head_norm(attention: nn.Module, name: str, dtype: torch.dtype) -> Norm:
    norm = _part(attention, name)
    weight = getattr(norm, "weight", None)
    if isinstance(weight, Tensor) and weight.numel() != _number(attention, "head_dim"):
        raise NotUnderstoodError("norms over all heads at once")
    return choose_norm(norm, dtype)


def _expect_only(module: nn.Module, names: set[str]) -> None:
    others = sorted(name for name, _ in module.named_children() if name not in names)
    if others:
        raise NotUnderstoodError(f"{type(module).__name__} has {', '.join(others)}")


def _number(owner: object, name: str) -> float:
    value: object = getattr(owner, name, None)
    if not isinstance(value, int | float):
        raise NotUnderstoodError(f"{type(owner).__name__} has no {name}")
    return value


def _window(attention: nn.Module) -> int | None:
    config: object = attention.config
    window: object = getattr(config, "sliding_window", None)
    if hasattr(attention, "sliding_window"):
        window = attention.sliding_window
    elif getattr(config, "use_sliding_window", True) is False:
        # Without an attribute of its own, a layer reads the configuration, as Mistral's do.
        window = None
    return window if isinstance(window, int) else None
