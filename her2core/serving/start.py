"""What has to be so before anything listens: settings, database, and a door that somebody minds."""

import functools

from her2core.accounts.door import LOOPBACK_NAMES, OpenDoorError, way_in
from her2core.accounts.records import ROLES
from her2core.accounts.store import AccountStore
from her2core.models.backends.choose import check_backend
from her2core.reviews.store import ReviewStore, StoreError
from her2core.serving.browsers import server_key
from her2core.serving.services import services
from her2core.settings import Settings, load_settings


class RefusedError(Exception):
    """The server must not start; str(error) says why, `status` is for the shell."""

    def __init__(self, status: int, sentence: str) -> None:
        """The exit status and one sentence."""
        super().__init__(sentence)
        self.status = status


def check(address: str | None) -> tuple[str, ...]:
    """The names by which browsers may ask for the server; none where any name will do.

    Args:
        address: what the server will listen to; None for every address.

    Raises:
        RefusedError: the server must not start.
    """
    try:
        settings = load_settings()
        check_backend(settings.backend)
        store = ReviewStore(settings.database_url)
    except (StoreError, ValueError, OSError) as error:
        raise RefusedError(2, str(error)) from None
    try:
        return _names(settings, store, address)
    finally:
        store.close()


def begin(address: str | None) -> None:
    """Make the services of this process, if the server may start at all.

    Raises:
        RefusedError: it must not.
    """
    try:
        here = services()
        signing_key()
    except (StoreError, ValueError, OSError) as error:
        raise RefusedError(2, str(error)) from None
    _names(here.settings, here.store, address)


@functools.cache
def signing_key() -> bytes:
    """The key by which this server signs cookies and addresses.

    Raises:
        OSError, ValueError: see `server_key`.
    """
    return server_key(services().settings.home)


def metrics_open() -> bool:
    """Whether Streamlit's figures may be asked for (HER2_METRICS)."""
    return services().settings.metrics


def _names(settings: Settings, store: ReviewStore, address: str | None) -> tuple[str, ...]:
    role = settings.sign_in.oidc_role
    if role not in (None, *ROLES):
        known = ", ".join(ROLES)
        raise RefusedError(2, f"Setting HER2_OIDC_ROLE must be one of {known}, not '{role}'.")
    try:
        way = way_in(
            oidc=settings.sign_in.oidc,
            accounts=AccountStore(store).exist(),
            address=address,
            allow_open=settings.sign_in.allow_open,
        )
    except OpenDoorError as error:
        raise RefusedError(1, str(error)) from None
    except StoreError as error:
        raise RefusedError(2, str(error)) from None
    if way != "open" or settings.sign_in.allow_open:
        return ()
    return tuple(dict.fromkeys((*LOOPBACK_NAMES, (address or "").strip("[]"))))
