"""What the tests of training share: an installation of their own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session", autouse=True)
def own_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No command writes into the installation of whoever runs the tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HER2_HOME", str(tmp_path_factory.mktemp("home")))
        patch.delenv("DATABASE_URL", raising=False)
        yield
