"""Adapters beside frozen layers: what a pass adds is what their matrices say one by one."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from twinkle_jupyter.engine.adapter_layout import AdapterLayout, group_sites
from twinkle_jupyter.engine.injection import LinearSite
from twinkle_jupyter.ids import AdapterVersion
from twinkle_jupyter.sampler import answering_adapters
from twinkle_jupyter.sampler.adapter_tables import AdapterTables
from twinkle_jupyter.sampler.answering_adapters import AnsweringAdapters
from twinkle_jupyter.sampler.pass_adapters import Owner, PassAdapters
from twinkle_jupyter.sampler.snapshot_cache import HeldAdapter
from twinkle_jupyter.scheduling.request import AdapterSpec

_CPU = torch.device("cpu")
SITES = tuple(
    LinearSite(f"model.layers.0.{name}", fan_in, fan_out)
    for name, fan_in, fan_out in (
        ("self_attn.q_proj", 10, 12),
        ("self_attn.k_proj", 10, 6),
        ("self_attn.v_proj", 10, 6),
        ("self_attn.o_proj", 12, 10),
        ("mlp.down_proj", 7, 10),
    )
)
#: As the model computes them; the last one has linears of a group that it computes one by one.
GROUPS = {"whole": group_sites(SITES), "by itself": ((0,), (1,), (2,), (3,), (4,))}
SPECS = (
    AdapterSpec(rank=3, alpha=6.0),
    AdapterSpec(rank=2, alpha=1.0, targets=("q_proj", "v_proj", "o_proj")),
)


def _hold(spec: AdapterSpec, seed: int) -> HeldAdapter:
    size = AdapterLayout.of(SITES, spec).num_parameters
    generator = torch.Generator().manual_seed(seed)
    weights = torch.randn(size, generator=generator, dtype=torch.float64)
    return HeldAdapter(AdapterVersion(seed), spec, weights)


def _add_one_by_one(held: HeldAdapter, index: int, x: Tensor) -> Tensor | float:
    pair = AdapterLayout.of(SITES, held.spec).split_by_site(held.weights)[index]
    return 0.0 if pair is None else held.spec.scale * (x @ pair.down.t() @ pair.up.t())


def _build(dtype: torch.dtype, held: list[HeldAdapter], groups: str) -> list[AdapterTables]:
    """Tables with every adapter in the slot of its number in its tables."""
    tables = {
        spec: AdapterTables(AdapterLayout.of(SITES, spec), GROUPS[groups], dtype, _CPU)
        for spec in SPECS
    }
    used = dict.fromkeys(SPECS, 0)
    for one in held:
        tables[one.spec].put(used[one.spec], one.weights.to(dtype), one.spec.scale)
        used[one.spec] += 1
    return list(tables.values())


@pytest.mark.parametrize("groups", GROUPS)
@pytest.mark.parametrize(
    ("dtype", "most_gathered", "tolerance"),
    [
        (torch.float64, 0, 1e-12),
        (torch.float64, 1, 1e-12),
        (torch.float64, 4, 1e-12),
        (torch.float32, 4, 1e-4),
        (torch.bfloat16, 8, 0.03),
    ],
)
def test_a_pass_adds_what_each_adapter_says(
    groups: str, dtype: torch.dtype, most_gathered: int, tolerance: float
) -> None:
    held = [_hold(SPECS[0], seed) for seed in range(5)] + [_hold(SPECS[1], 9), _hold(SPECS[1], 8)]
    first, second = _build(dtype, held, groups)
    first.most_gathered = second.most_gathered = most_gathered
    # One token each, not all neighbours, two shapes; then several, and tokens of nobody.
    plan = [(0, 1), (2, 1), (3, 1), (6, 1), (5, 1), (1, 4), (4, 2)]
    owners = [
        Owner(first, number, tokens) if number < 5 else Owner(second, number - 5, tokens)
        for number, tokens in plan
    ]
    num_tokens = sum(tokens for _, tokens in plan) + 3
    adapters = PassAdapters(owners)
    for number, sites in enumerate(GROUPS[groups]):
        fan_in = SITES[sites[0]].in_features
        x = torch.randn(num_tokens, fan_in, dtype=dtype)
        outs = [torch.randn(num_tokens, SITES[i].out_features, dtype=dtype) for i in sites]
        expected = [out.double() for out in outs]
        adapters.add_deltas(number, adapters.project(number, x), outs)
        for index, out, plain in zip(sites, outs, expected, strict=True):
            start = 0
            for owner, tokens in plan:
                rows = slice(start, start + tokens)
                plain[rows] += _add_one_by_one(held[owner], index, x[rows].double())
                start += tokens
            scale = plain.abs().max()
            assert torch.allclose(out.double() / scale, plain / scale, rtol=0, atol=tolerance)


@pytest.fixture
def answering() -> AnsweringAdapters:
    return AnsweringAdapters(SITES, GROUPS["whole"], torch.float64, _CPU)


def _matrices(answering: AnsweringAdapters, held: HeldAdapter) -> Tensor:
    """A of the first group of linears, (I, m x R), where the version is said to be."""
    own = answering.find(held)
    return own.tables.stack(range(own.slot, own.slot + 1)).downs[0][0]


def _expected(held: HeldAdapter) -> Tensor:
    pairs = AdapterLayout.of(SITES, held.spec).split(held.weights)
    return torch.cat([pair.down for pair in pairs[:3]]).t()


def test_a_version_stays_where_it_is_until_its_slot_is_wanted(
    answering: AnsweringAdapters, monkeypatch: pytest.MonkeyPatch
) -> None:
    put: list[int] = []
    original = AdapterTables.put

    def count(self: AdapterTables, slot: int, weights: Tensor, scale: float) -> None:
        put.append(slot)
        original(self, slot, weights, scale)

    monkeypatch.setattr(AdapterTables, "put", count)
    held = [_hold(SPECS[0], seed) for seed in range(4)]
    for one in held[:2]:
        answering.enter(one)
    answering.leave(held[0])
    assert len(answering) == 1
    answering.enter(held[0])
    answering.leave(held[0])
    assert put == [0, 1]
    answering.enter(held[2])
    assert put == [0, 1, 0]
    answering.enter(held[3])
    assert put == [0, 1, 0, 2]
    assert len(answering) == 3
    for one in held[1:]:
        assert torch.equal(_matrices(answering, one), _expected(one))


def test_what_answers_nothing_is_bounded(
    answering: AnsweringAdapters, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = [_hold(SPECS[0], seed) for seed in range(6)]
    monkeypatch.setattr(answering_adapters, "_MAX_IDLE_BYTES", 2 * held[0].size_bytes)
    for one in held:
        answering.enter(one)
    most = answering.size_bytes
    # The last of a table takes the slot of whoever goes.
    for one in held[:4]:
        answering.leave(one)
    for one in held[2:]:
        assert torch.equal(_matrices(answering, one), _expected(one))
    for one in held[4:]:
        answering.leave(one)
    assert len(answering) == 0
    assert 0 < answering.size_bytes < most
    monkeypatch.setattr(answering_adapters, "_MAX_IDLE_BYTES", 0)
    answering.enter(held[0])
    answering.leave(held[0])
    assert answering.size_bytes == 0
