"""Pipelines written in YAML: the same plans as SQL makes, with a key for each clause."""

from fluxcore.api.yaml.pipeline import Pipeline, read_pipeline

__all__ = ["Pipeline", "read_pipeline"]
