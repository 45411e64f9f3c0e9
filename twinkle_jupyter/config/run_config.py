"""What a person asks of one run: the settings of `%twinkle train`, checked all at once."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    field_validator,
    model_validator,
)

from twinkle_jupyter.config.base_models import DEFAULT_BASE_MODEL

AdapterName = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$", strip_whitespace=True)
]


class RunConfig(BaseModel):
    """One adapter, trained on one data set with these settings.

    Losses are averaged over the supervised tokens of a batch, or over its pairs of answers, so that
    a learning rate means the same at every batch size.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    adapter: AdapterName = Field(
        default="adapter", description="name of the adapter: letters, digits, `.`, `_` and `-`"
    )
    base_model: str = Field(
        default=DEFAULT_BASE_MODEL,
        min_length=1,
        description="a bundled name, a local folder or a hub name",
    )
    rank: int = Field(default=8, ge=1, le=256, description="rank of the adapter")
    alpha: float | None = Field(
        default=None, gt=0, le=4096, description="scale is alpha / rank; twice the rank if not set"
    )
    learning_rate: float = Field(default=1e-3, gt=0, le=0.1, description="at its highest point")
    schedule: Literal["constant", "linear", "cosine"] = Field(
        default="constant", description="how the learning rate goes on after the warm-up"
    )
    warmup_steps: int = Field(default=3, ge=0, le=100_000, description="steps of rising rate")
    steps: int | None = Field(
        default=None, ge=1, le=10_000_000, description="optimizer steps in all"
    )
    epochs: float | None = Field(
        default=None, gt=0, le=10_000, description="passes over the data, instead of steps; else 3"
    )
    batch_size: int = Field(default=4, ge=1, le=4096, description="rows in a step")
    max_length: int = Field(
        default=1024, ge=8, le=1_048_576, description="tokens of a row; a longer row is cut"
    )
    weight_decay: float = Field(default=0.0, ge=0, le=1, description="AdamW's weight decay")
    grad_clip: float = Field(
        default=1.0, ge=0, le=1e6, description="largest gradient norm; 0 does not clip"
    )
    loss_mask: Literal["all-assistant", "last-assistant", "all", "custom"] = Field(
        default="all-assistant",
        description="what is learned: answers, the last answer, everything, or what each message's"
        " `weight` says",
    )
    loss: Literal["cross_entropy", "dpo"] = Field(
        default="cross_entropy",
        description="what data teach: to say the answers, or with `dpo`, from rows with a `chosen`"
        " and a `rejected` answer, to prefer the one to the other",
    )
    beta: float | None = Field(
        default=None,
        gt=0,
        le=100,
        description="of `dpo`: how strongly the adapter is held to what it begins with; 0.1 if not"
        " set",
    )
    reasoning: Literal["keep", "strip"] = Field(
        default="keep", description="what becomes of the reasoning before an answer"
    )
    eval_fraction: float = Field(
        default=0.0, ge=0, le=0.5, description="share of rows kept from training, for the eval loss"
    )
    eval_every: int = Field(default=10, ge=1, description="steps between two eval losses")
    probe: tuple[Annotated[str, StringConstraints(min_length=1, max_length=2000)], ...] = Field(
        default=(), max_length=16, description="a prompt to answer while training; may be repeated"
    )
    probe_every: int = Field(default=5, ge=1, description="steps between two probe answers")
    probe_tokens: int = Field(
        default=40, ge=1, le=1024, description="tokens of a probe answer at most"
    )
    checkpoint_every: int = Field(default=10, ge=1, description="steps between two checkpoints")
    keep_last: int = Field(default=2, ge=1, le=10_000, description="newest checkpoints that stay")
    patience: int | None = Field(
        default=None,
        ge=1,
        description="eval losses in a row without a new lowest before the run ends with its best"
        " weights; never, if not set",
    )
    seed: int = Field(default=0, ge=0, lt=2**31, description="of row order and initial weights")

    @field_validator("adapter")
    @classmethod
    def _not_the_base(cls, name: str) -> str:
        if name == "base":
            raise ValueError("`base` is how the base model itself is called; take another name")
        return name

    @model_validator(mode="after")
    def _steps_or_epochs(self) -> Self:
        if self.steps is not None and self.epochs is not None:
            raise ValueError("steps and epochs exclude each other: give one of the two")
        return self

    @model_validator(mode="after")
    def _settings_of_the_loss(self) -> Self:
        if self.loss != "dpo" and self.beta is not None:
            raise ValueError("beta is a setting of the loss dpo: set loss to dpo, or leave it out")
        if self.loss == "dpo" and self.loss_mask != "all-assistant":
            raise ValueError(
                "loss_mask is for conversations: dpo compares the tokens of the two answers, and"
                " takes none"
            )
        return self

    @property
    def loss_settings(self) -> dict[str, float]:
        """What the loss is told."""
        return {"beta": 0.1 if self.beta is None else self.beta} if self.loss == "dpo" else {}

    @property
    def scale(self) -> float:
        """What the adapter's output is multiplied by: alpha / rank."""
        return self.lora_alpha / self.rank

    @property
    def lora_alpha(self) -> float:
        """Alpha, with its default filled in."""
        return self.alpha if self.alpha is not None else 2.0 * self.rank

    def total_steps(self, num_rows: int) -> int:
        """Count the optimizer steps for a training set of `num_rows` rows."""
        if self.steps is not None:
            return self.steps
        epochs = self.epochs if self.epochs is not None else 3.0
        return max(1, round(epochs * num_rows / self.batch_size))
