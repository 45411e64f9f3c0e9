"""The frozen base model, the adapters beside it, and one step of all. Torch, and nothing of Ray."""
