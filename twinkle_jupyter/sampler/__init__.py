"""Answers, token by token, from the base model or any version of an adapter."""
