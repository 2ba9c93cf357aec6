"""Tests of the scripts in `training/`, which make the embedded models."""
