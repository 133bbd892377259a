"""The engine: text chains against other toolkits, the engine against a loop, memory and time as data grows."""

from __future__ import annotations
