"""Whether a folder holds a complete base model: config, tokenizer, chat template, weights.

Only headers and sizes are read, never a tensor, so that a half-written or cut file is found in
milliseconds and without torch.
"""

from __future__ import annotations

import json
from pathlib import Path

#: A safetensors header is some kilobytes; more than this is another kind of file.
_MAX_HEADER_BYTES = 100_000_000


def find_model_problem(folder: Path) -> str:
    """Say in one sentence why `folder` is no complete base model; empty when it is one."""
    if not folder.is_dir():
        return f"`{folder}` is not a folder."
    if problem := _config_problem(folder) or _tokenizer_problem(folder):
        return problem
    if read_template_text(folder) is None:
        return f"`{folder}` has no chat template, so it is not a model that chats."
    return _weights_problem(folder)


def read_template_text(folder: Path) -> str | None:
    """Return the folder's chat template: `chat_template.jinja`, or the tokenizer config's own."""
    file = folder / "chat_template.jinja"
    if file.is_file():
        return file.read_text(encoding="utf-8")
    for name in ("tokenizer_config.json", "chat_template.json"):
        template = read_json_object(folder / name).get("chat_template")
        if isinstance(template, str):
            return template
        if isinstance(template, list):
            named = {str(item.get("name")): item.get("template") for item in template}
            if isinstance(named.get("default"), str):
                return str(named["default"])
    return None


def read_json_object(path: Path) -> dict[str, object]:
    """Return the object in the file; empty when there is no such file or it is no JSON object."""
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def _config_problem(folder: Path) -> str:
    path = folder / "config.json"
    if not path.is_file():
        return f"`{folder}` has no config.json, so it is not a model folder."
    if not read_json_object(path):
        return f"`{path}` is not readable JSON."
    return ""


def _tokenizer_problem(folder: Path) -> str:
    path = folder / "tokenizer.json"
    if not path.is_file():
        return f"`{folder}` has no tokenizer.json."
    if "model" not in read_json_object(path):
        return f"`{path}` is not a readable tokenizer."
    return ""


def _weights_problem(folder: Path) -> str:
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        weight_map = read_json_object(index).get("weight_map")
        if not isinstance(weight_map, dict) or not weight_map:
            return f"`{index}` is not a readable index of weights."
        names = sorted({str(name) for name in weight_map.values()})
    else:
        names = sorted(path.name for path in folder.glob("*.safetensors"))
    if not names:
        return f"`{folder}` has no weights (*.safetensors)."
    return next((text for name in names if (text := _safetensors_problem(folder / name))), "")


def _safetensors_problem(path: Path) -> str:
    if not path.is_file():
        return f"`{path}` is not there, though the index of weights names it."
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if not 0 < length <= min(size, _MAX_HEADER_BYTES):
            return f"`{path}` is not a readable safetensors file."
        try:
            header = json.loads(file.read(length))
            ends = [
                item["data_offsets"][1] for name, item in header.items() if name != "__metadata__"
            ]
        except (ValueError, KeyError, TypeError, AttributeError):
            return f"`{path}` is not a readable safetensors file."
    wanted = 8 + length + max(ends, default=0)
    if size != wanted:
        return f"`{path}` has {size:,} bytes instead of {wanted:,}: it was not written completely."
    return ""
