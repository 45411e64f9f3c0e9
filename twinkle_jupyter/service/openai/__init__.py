"""The OpenAI protocol: chat completions, completions and models, for stock clients of it."""
