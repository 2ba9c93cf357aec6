"""Readers: whatever people have, as records. Start with `recaption.datasets.detect.open_dataset`."""
