"""What holds for all tests: no example is wrong because the machine was busy."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("patient", settings(), deadline=None)  # else the one that is in force, such as that of CI
settings.load_profile("patient")
