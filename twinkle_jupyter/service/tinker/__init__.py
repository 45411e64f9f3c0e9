"""The Tinker protocol: stock clients of it train and sample here, as they are."""
