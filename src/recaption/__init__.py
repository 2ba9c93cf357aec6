"""Recaption: rewrite the captions of image-text datasets, and prove that they got better."""

__version__ = "0.1.0"
