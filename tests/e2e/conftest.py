"""The data space of the lab's own tests, and a lab folder as a steward has it."""

from __future__ import annotations

import pytest

from tests.unit.cli.conftest import write_folder
from tests.unit.lab.conftest import space  # noqa: F401 - a fixture


@pytest.fixture(scope="module")
def folder(tmp_path_factory, space):  # noqa: F811
    return write_folder(tmp_path_factory.mktemp("lab"), space)
