"""What all tests share: real images, a real PostgreSQL, and that CI may skip nothing."""

from __future__ import annotations

import os
import sys
from collections.abc import Generator, Iterator
from pathlib import Path

import hypothesis
import pytest

from her2core.reviews.store import ReviewStore
from her2core.settings import UploadLimits
from tests import hostile
from tests.postgresql_server import PostgresqlServer, Rewound, programs

ROOT = Path(__file__).resolve().parent.parent
REQUIRE_ALL = os.environ.get("HER2_REQUIRE_ALL") == "1"

# A busy machine is no fault of the code: no test fails because one example took long.
hypothesis.settings.register_profile("patient", deadline=None)
hypothesis.settings.load_profile("patient")


# Folders whose files take minutes, so that none of them is begun last, for a single worker.
SLOW_FOLDERS = ("browser", "training", "serving", "pages")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The slowest folders first; what stands in one file stays together, as collected."""

    def rank(item: pytest.Item) -> int:
        folder = item.path.parent.name
        return SLOW_FOLDERS.index(folder) if folder in SLOW_FOLDERS else len(SLOW_FOLDERS)

    items.sort(key=rank)


def real_cores() -> Path:
    """Folder of the real HER2 IHC images; it need not exist."""
    return Path(os.environ.get("HER2_REAL_CORES") or ROOT.parent / "shared" / "real-cores")


@pytest.fixture(scope="session")
def real_patches() -> list[Path]:
    """Real HER2 IHC patches of 448 x 448 pixels, sorted by name."""
    files = sorted((real_cores() / "patches").glob("*.jpg"))
    if not files:
        pytest.skip(f"no real images in {real_cores()}; set HER2_REAL_CORES")
    return files


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgresqlServer]:
    """A running PostgreSQL of the tests' own."""
    if programs() is None:
        pytest.skip("PostgreSQL is not installed (Debian: apt install postgresql)")
    server = PostgresqlServer()
    try:
        server.start()
        yield server
    finally:
        server.remove()


@pytest.fixture(scope="session")
def postgresql_store(postgresql: PostgresqlServer) -> Rewound:
    """An empty review store on PostgreSQL, migrated once."""
    url = postgresql.new_database()
    ReviewStore(url).close()
    return Rewound(postgresql, url)


@pytest.fixture
def postgresql_url(postgresql_store: Rewound) -> Iterator[str]:
    """An empty review store on PostgreSQL, of this test alone."""
    yield postgresql_store.url
    postgresql_store.rewind()


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where the review store of this test is: each such test runs on both databases."""
    if request.param == "postgresql":
        return str(request.getfixturevalue("postgresql_url"))
    return f"sqlite:///{tmp_path / 'home' / 'reviews.sqlite3'}"


@pytest.fixture
def limits() -> UploadLimits:
    """The upload limits of a fresh installation."""
    return UploadLimits()


@pytest.fixture(scope="session")
def brown_patch_png() -> bytes:
    """A small procedural patch, brown rings round blue nuclei, as PNG bytes."""
    return hostile.as_png(hostile.brown_patch())


@pytest.fixture(autouse=True)
def own_main_module() -> Iterator[None]:
    """AppTest leaves its script as __main__, which spawned processes would run again."""
    main = sys.modules["__main__"]
    yield
    sys.modules["__main__"] = main


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Where everything is required (CI), a skipped test is a failed one."""
    report = yield
    if REQUIRE_ALL and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped, and HER2_REQUIRE_ALL=1 allows no skip."
    return report
