"""In which number type a base model computes on this machine."""

from __future__ import annotations

import time

import torch
from torch import Tensor

#: A matmul as in a step of a small model: tokens, inputs, outputs.
_PROBE_SHAPE = (128, 512, 512)
_PROBE_ROUNDS = 5


def choose_compute_dtype(dtype: torch.dtype, device: torch.device) -> torch.dtype:
    """Return what to compute in with weights of `dtype`.

    That is `dtype` itself, but for bf16 on a processor without units for it: there a matmul in bf16
    takes several times as long as one in fp32 over weights that are converted first, and is less
    exact. Which of the two a processor is, is tried out.
    """
    if dtype != torch.bfloat16 or device.type != "cpu":
        return dtype
    num_tokens, num_inputs, num_outputs = _PROBE_SHAPE
    x = torch.ones(num_tokens, num_inputs, dtype=torch.bfloat16)
    weight = torch.ones(num_outputs, num_inputs, dtype=torch.bfloat16)
    candidates = (torch.bfloat16, torch.float32)
    seconds = dict.fromkeys(candidates, float("inf"))
    for _ in range(_PROBE_ROUNDS):
        for candidate in candidates:
            seconds[candidate] = min(seconds[candidate], _time_matmul(x, weight, candidate))
    return min(candidates, key=lambda candidate: seconds[candidate])


def _time_matmul(x: Tensor, weight: Tensor, dtype: torch.dtype) -> float:
    x = x.to(dtype)
    started = time.perf_counter()
    torch.mm(x, weight.to(dtype).t())
    return time.perf_counter() - started
