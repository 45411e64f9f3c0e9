"""Whoever comes and goes, every slot keeps its own numbers."""

from __future__ import annotations

import itertools

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from twinkle_jupyter.engine.adapter_bank import AdapterBank, AdapterState
from twinkle_jupyter.engine.injection import LinearSite
from twinkle_jupyter.ids import AdapterId
from twinkle_jupyter.scheduling.request import AdapterSpec

SITES = (
    LinearSite("layers.0.q_proj", 3, 4),
    LinearSite("layers.0.k_proj", 3, 2),
    LinearSite("layers.1.down_proj", 5, 3),
)
SPECS = (AdapterSpec(1, 1.0), AdapterSpec(2, 1.0), AdapterSpec(2, 1.0, targets=("q_proj",)))
_steps = st.lists(
    st.tuples(st.sampled_from(("put", "remove", "take")), st.integers(0, 7), st.integers(0, 2)),
    max_size=40,
)


def _state(bank: AdapterBank, spec: AdapterSpec, number: float) -> AdapterState:
    size = bank.layout(spec).num_parameters
    parts = [torch.full((size,), number + part / 10) for part in range(4)]
    return AdapterState(spec, parts[0], parts[1], parts[2], parts[3], step=int(number))


def _numbers(state: AdapterState) -> tuple[float, ...]:
    assert state.gradient is not None
    tensors = (state.parameters, state.exp_avg, state.exp_avg_sq, state.gradient)
    values = [torch.unique(tensor).tolist() for tensor in tensors]
    assert all(len(found) == 1 for found in values), "a slot holds one adapter's numbers only"
    return tuple(round(found[0], 3) for found in values)


@given(_steps)
def test_slots_hold_what_was_put_there(steps: list[tuple[str, int, int]]) -> None:
    bank = AdapterBank(SITES, torch.float32, torch.device("cpu"), max_adapters=8)
    expected: dict[AdapterId, tuple[float, ...]] = {}
    for number, (verb, who, which) in enumerate(steps, start=1):
        key = AdapterId(str(who))
        if verb == "put":
            bank.put(key, _state(bank, SPECS[which], float(number)))
            expected[key] = tuple(round(number + part / 10, 3) for part in range(4))
        elif verb == "remove":
            bank.remove(key)
            expected.pop(key, None)
        elif key in bank:
            assert _numbers(bank.take(key)) == expected.pop(key)
        assert len(bank) == len(expected)
        for other, numbers in expected.items():
            slot = bank.get(other)
            assert _numbers(slot.state()) == numbers
            assert slot.step == int(numbers[0])
            assert slot.stack.adapter_ids[slot.row] == other
    stacks = {id(bank.get(key).stack): bank.get(key).stack for key in expected}
    rows = sum(stack.parameters.shape[0] for stack in stacks.values())
    assert rows <= 4 * max(1, len(expected)), "capacity follows what is there"


def test_matrices_are_views_of_the_slot() -> None:
    bank = AdapterBank(SITES, torch.float32, torch.device("cpu"))
    spec = AdapterSpec(2, 4.0)
    for name in ("a", "b", "c"):
        bank.create(AdapterId(name), spec)
    stack = bank.get(AdapterId("a")).stack
    q_and_k, down = stack.views(1, 2)
    assert (q_and_k.down.shape, [up.shape for up in q_and_k.ups]) == (
        (2, 4, 3),
        [(2, 4, 2), (2, 2, 2)],
    )
    assert (down.down.shape, [up.shape for up in down.ups]) == ((2, 2, 5), [(2, 3, 2)])
    q_and_k.ups[1][1].fill_(7.0)
    slot = bank.get(AdapterId("c"))
    named = slot.layout.name_tensors(slot.factors)
    assert bool((named["base_model.model.layers.0.k_proj.lora_B.weight"] == 7.0).all())
    assert int((slot.parameters == 7.0).sum()) == 4
    assert not bank.get(AdapterId("b")).parameters.eq(7.0).any()


@pytest.mark.parametrize("failing_call", [1, 2, 3, 4])
def test_memory_that_ends_while_a_stack_grows_loses_nobody(
    monkeypatch: pytest.MonkeyPatch, failing_call: int
) -> None:
    bank = AdapterBank(SITES, torch.float32, torch.device("cpu"))
    a, b, c = map(AdapterId, "abc")
    for number, key in enumerate((a, b), start=1):
        bank.put(key, _state(bank, SPECS[1], float(number)))
    new_zeros, calls = torch.Tensor.new_zeros, itertools.count(1)

    def run_out(tensor: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
        if next(calls) == failing_call:
            raise MemoryError
        return new_zeros(tensor, size)

    monkeypatch.setattr(torch.Tensor, "new_zeros", run_out)
    with pytest.raises(MemoryError):
        bank.put(c, _state(bank, SPECS[1], 3.0))
    bank.put(c, _state(bank, SPECS[1], 3.0))
    for number, key in enumerate((a, b, c), start=1):
        assert _numbers(bank.get(key).state())[0] == number
    bank.get(b).stack.views(0, 3)[0].down.fill_(9.0)
    assert bool((bank.get(b).factors[0].down == 9.0).all()), "no view of what was before"
