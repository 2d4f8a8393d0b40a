"""Settings of all tests: no deadlines (machines are busy), and a failure that can be repeated.

``FLUXCORE_TEST_PROFILE=long`` runs many more random cases (``make test-long``).
"""

from __future__ import annotations

import os

from hypothesis import settings

settings.register_profile("fluxcore", deadline=None, print_blob=True, max_examples=60)
settings.register_profile("long", deadline=None, print_blob=True, max_examples=1500)
settings.load_profile("long" if os.environ.get("FLUXCORE_TEST_PROFILE") == "long" else "fluxcore")
