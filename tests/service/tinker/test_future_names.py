"""Names of futures come from clients: what is none is not found, and never an error of ours."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twinkle_jupyter.errors import NotFoundError
from twinkle_jupyter.service.tinker.future_names import FutureName


@given(rate=st.floats(min_value=-1e6, max_value=1e6), number=st.integers(0, 10**9))
def test_a_name_is_read_as_it_was_written(rate: float, number: int) -> None:
    for name in (
        FutureName("optim_step", number, "model", rate.hex()),
        FutureName("forward_backward", number, "model", str(number % 10**9)),
        FutureName("save_weights", number, "model", "weights/a/b"),
        FutureName("sample", number, "session"),
    ):
        assert FutureName.parse(str(name)) == name


@pytest.mark.parametrize(
    "text",
    [
        "",
        "///",
        "optim_step/1/model/fast",
        "optim_step/1/model/",
        "optim_step/1/model/inf",
        "optim_step/1/model/0x1.0p+9999",
        "forward_backward/1/model/-3",
        "forward_backward/1/model/9999999999",
        "forward_backward/\u0661/model/x",
        "forward_backward/x/model/3",
        "save_weights/99999999999999999999/model/x",
        "nothing/1/model/",
    ],
)
def test_what_is_no_name_is_not_found(text: str) -> None:
    with pytest.raises(NotFoundError, match="There is no request"):
        FutureName.parse(text)
