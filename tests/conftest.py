"""Settings of all tests: no deadlines (machines are busy), and a failure that can be repeated."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("fluxcore", deadline=None, print_blob=True, max_examples=60)
settings.load_profile("fluxcore")
