"""Base models by name: where weights, tokenizer and template of each come from.

A name is, in this order, a bundled model, a folder on this machine, or a hub name. Nothing here
reads weights; `launch/model_fetch.py` brings them.
"""

from __future__ import annotations

DEFAULT_BASE_MODEL = "smollm2-135m-instruct"
