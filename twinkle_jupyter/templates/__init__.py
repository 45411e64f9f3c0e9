"""Conversations to tokens: one renderer for training and sampling."""
