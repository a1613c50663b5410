"""Pretrained Hugging Face checkpoints: any head that transformers builds, with samples through its own processor."""
