"""Whose chat template goes with a base model: what was said, what the service announces, its own.

An entry of a service's announcement is an object with `model_name`; a service that announces
nothing, or is of an age that knew none of this, leaves the base model's own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

Entry = Mapping[str, object]

_NAME, _TEMPLATE = "model_name", "template_init_model_id"


def resolve_template_model_id(
    model_name: str, explicit: str | None, capabilities: Iterable[object]
) -> str:
    """Return the name of the model whose template is to be used. Raises nothing.

    Args:
        model_name: The base model, as it is called in the service's paths.
        explicit: What a person said; it comes before everything.
        capabilities: The service's `supported_models`, of whatever form.
    """
    if explicit is not None:
        return explicit
    for entry in capabilities:
        if isinstance(entry, Mapping) and entry.get(_NAME) == model_name:
            template = entry.get(_TEMPLATE)
            if isinstance(template, str) and template:
                return template
    return model_name


def merge_supported_models(
    configured: Sequence[Entry | str],
    of_trainers: Mapping[str, str],
    of_samplers: Mapping[str, str],
) -> list[dict[str, object]]:
    """Return what a service announces, one entry a base model; nothing configured is lost.

    Args:
        configured: Names or whole entries; what an entry says wins.
        of_trainers: By base model, whose template its trainer has.
        of_samplers: The same of its sampler, which wins over the trainer.
    """
    deployed = {**of_trainers, **of_samplers}
    entries = [{_NAME: one} if isinstance(one, str) else dict(one) for one in configured]
    merged: dict[object, dict[str, object]] = {}
    for entry in entries:
        known = merged.setdefault(entry.get(_NAME), {})
        # Said twice, the first that says something has the word.
        known.update({key: value for key, value in entry.items() if known.get(key) is None})
    for model in deployed:
        merged.setdefault(model, {_NAME: model})
    for name, entry in merged.items():
        if not entry.get(_TEMPLATE) and isinstance(name, str):
            entry[_TEMPLATE] = deployed.get(name)
    return list(merged.values())
