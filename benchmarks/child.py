"""The process that is measured: ``python -m benchmarks.child package.module:function '{"argument": 1}' ANSWER``."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path

if __name__ == "__main__":
    _target, _arguments, _answer = sys.argv[1:]
    _module, _, _name = _target.partition(":")
    _result = getattr(importlib.import_module(_module), _name)(**json.loads(_arguments))
    Path(_answer).write_text(json.dumps(_result), encoding="utf-8")
