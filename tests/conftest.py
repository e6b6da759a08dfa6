"""What all tests share: settings of the person who runs them must not reach them."""

import os
from pathlib import Path

# The jars of Kafka are fetched once per checkout, not once per test session or home directory.
_CACHE = os.environ.get("TICKETFLOW_CACHE_DIR", str(Path(__file__).parent.parent / ".cache"))
_OURS = [name for name in os.environ if name.startswith("TICKETFLOW_")]

# At import, before any test module can read them.
for _name in _OURS:
    del os.environ[_name]
os.environ["TICKETFLOW_CACHE_DIR"] = _CACHE
