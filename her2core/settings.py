"""One frozen Settings object, read once from the environment and .streamlit/secrets.toml.

Every limit and place the product uses stands here with its default, so that a hospital's IT lead
finds them on one page. Environment variables win over the file, the file over the default.
"""

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from her2core.common.refusal import RefusalError
from her2core.stain.thresholds import StainThresholds

PROJECT_ROOT = Path(__file__).resolve().parent.parent
SHIPPED_DATA = PROJECT_ROOT / "data"
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
# The decoding process itself takes some 110 MiB of address space.
LEAST_MIB = 192
_SWITCH = dict.fromkeys(("1", "true", "yes", "on"), True) | dict.fromkeys(
    ("0", "false", "no", "off"), False
)


class SettingsError(RefusalError, ValueError):
    """A setting cannot be used; str(error) is one sentence that names it."""


@dataclass(frozen=True)
class UploadLimits:
    """What an uploaded file may be, and what reading it may cost.

    Attributes:
        max_bytes: size of a file, bytes.
        max_pixels: pixels of its picture.
        min_side: shortest side of its picture, pixels.
        max_files: files of one upload.
        max_seconds: time for decoding one file.
        max_mib: memory of the process that decodes it, MiB.
    """

    max_bytes: int = 200 * 1024 * 1024
    max_pixels: int = 100_000_000
    min_side: int = 32
    max_files: int = 500
    max_seconds: int = 10
    max_mib: int = 1024


@dataclass(frozen=True)
class SignInSettings:
    """How people get in.

    Attributes:
        idle_minutes: a session ends after so many minutes without a click.
        allow_open: other machines may use the server although nobody signs in.
        oidc: an OIDC provider is configured, table [auth] of secrets.toml.
        oidc_role: role of whoever the provider lets in without an account here; None: nobody.
    """

    idle_minutes: int = 30
    allow_open: bool = False
    oidc: bool = False
    oidc_role: str | None = None


@dataclass(frozen=True)
class Settings:
    """Where things are kept and how much is accepted.

    Attributes:
        home: folder of this installation's own data (database, stored patches, own bundles).
        database_url: SQLAlchemy URL of the review store.
        bundle_dirs: folders searched for model bundles, in order: those named by HER2_BUNDLES,
            the shipped ones, then the installation's own, so that copying a bundle there changes
            nothing until it is chosen.
        demo_dir: folder of the shipped synthetic sample patches.
        report_dirs: folders searched for evaluation reports, in order.
        slide_dir: folder of whole slides that people may have read here; None: uploads only.
        limits: upload limits.
        backend: what runs the networks, see `her2core.models.backends.choose`; "auto" is the
            fastest that agrees with TensorFlow.
        store_images: whether uploaded pictures are kept on disk; otherwise they are in memory for
            as long as the server runs, and reviews are recorded all the same.
        stain: what the stain measurement calls stained, complete and intense, with its sources.
        sign_in: how people get in.
        log_level: least severity of what the server's log holds, e.g. INFO or WARNING.
        metrics: Streamlit's own figures may be asked for at /_stcore/metrics, by anybody.
        fidelity_file: what `benchmarks.explanations` found; the pages warn beside maps that failed.
        external_file: what `benchmarks.external` measured on real breast tissue.
    """

    home: Path
    database_url: str
    bundle_dirs: tuple[Path, ...]
    demo_dir: Path = SHIPPED_DATA / "demo"
    report_dirs: tuple[Path, ...] = (SHIPPED_DATA / "reports",)
    slide_dir: Path | None = None
    limits: UploadLimits = field(default_factory=UploadLimits)
    backend: str = "auto"
    store_images: bool = True
    stain: StainThresholds = field(default_factory=StainThresholds)
    sign_in: SignInSettings = field(default_factory=SignInSettings)
    log_level: str = "INFO"
    metrics: bool = False
    fidelity_file: Path = PROJECT_ROOT / "benchmarks" / "explanations.json"
    external_file: Path = PROJECT_ROOT / "benchmarks" / "external.json"

    @property
    def image_dir(self) -> Path:
        """Folder in which uploaded patches are kept, each under its sha256."""
        return self.home / "patches"

    @property
    def cache_dir(self) -> Path:
        """Folder of what can be made again at any time."""
        return self.home / "cache"


def secrets_path(environ: Mapping[str, str] | None = None) -> Path:
    """The file with what must not stand in the environment: the OIDC provider's client, [auth]."""
    named = (os.environ if environ is None else environ).get("HER2_SECRETS")
    return Path(named).expanduser() if named else PROJECT_ROOT / ".streamlit" / "secrets.toml"


def load_settings(
    environ: Mapping[str, str] | None = None,
    secrets_file: Path | None = None,
) -> Settings:
    """Read the settings.

    Args:
        environ: environment variables, `os.environ` by default. Known: HER2_HOME, DATABASE_URL,
            HER2_BUNDLES (folders joined by the system's path separator), HER2_SLIDES,
            HER2_MAX_BYTES, HER2_MAX_PIXELS, HER2_MAX_FILES, HER2_MAX_SECONDS, HER2_MAX_MIB,
            HER2_STORE_IMAGES (0 or 1), HER2_BACKEND, HER2_IDLE_MINUTES, HER2_ALLOW_OPEN (0 or 1),
            HER2_OIDC_ROLE, HER2_LOG_LEVEL, HER2_METRICS (0 or 1).
        secrets_file: TOML file whose [her2] table holds the same names in lower case, by default
            the one that HER2_SECRETS names, or .streamlit/secrets.toml.

    Raises:
        SettingsError: a value is not of its kind; the message names the setting.
    """
    environ = os.environ if environ is None else environ
    file: dict[str, Any] = {}
    secrets_file = secrets_file or secrets_path(environ)
    if secrets_file.is_file():
        file = tomllib.loads(secrets_file.read_text(encoding="utf-8"))
    file_values: dict[str, object] = file.get("her2", {})

    def text(name: str) -> str | None:
        value = environ.get(name) or file_values.get(name.lower())
        return None if value is None else str(value)

    def one_of(name: str, known: tuple[str, ...]) -> str | None:
        value = text(name)
        if value is not None and value not in known:
            raise SettingsError(f"Setting {name} must be one of {', '.join(known)}, not '{value}'.")
        return value

    def number(name: str, default: int) -> int:
        value = text(name)
        if value is None:
            return default
        if not value.isdecimal() or int(value) == 0:
            raise SettingsError(f"Setting {name} must be a positive whole number, not '{value}'.")
        return int(value)

    def switch(name: str, default: bool) -> bool:
        value = text(name)
        if value is None:
            return default
        known = _SWITCH.get(value.strip().lower())
        if known is None:
            raise SettingsError(f"Setting {name} must be 0 or 1, not '{value}'.")
        return known

    home = Path(text("HER2_HOME") or SHIPPED_DATA / "workspace").expanduser().resolve()
    named = [Path(part) for part in (text("HER2_BUNDLES") or "").split(os.pathsep) if part]
    slides = text("HER2_SLIDES")
    defaults = UploadLimits()
    sign_in = SignInSettings(
        idle_minutes=number("HER2_IDLE_MINUTES", SignInSettings.idle_minutes),
        allow_open=switch("HER2_ALLOW_OPEN", False),
        oidc="auth" in file,
        oidc_role=text("HER2_OIDC_ROLE"),  # checked at the start, by who knows the roles
    )
    max_mib = number("HER2_MAX_MIB", defaults.max_mib)
    if max_mib < LEAST_MIB:
        raise SettingsError(f"Setting HER2_MAX_MIB must be at least {LEAST_MIB}, not '{max_mib}'.")
    return Settings(
        home=home,
        database_url=text("DATABASE_URL") or f"sqlite:///{home / 'her2review.sqlite3'}",
        bundle_dirs=(*named, SHIPPED_DATA / "bundles", home / "bundles"),
        report_dirs=(home / "reports", SHIPPED_DATA / "reports"),
        slide_dir=Path(slides).expanduser().resolve() if slides else None,
        backend=(text("HER2_BACKEND") or "auto").strip().lower(),
        limits=UploadLimits(
            max_bytes=number("HER2_MAX_BYTES", defaults.max_bytes),
            max_pixels=number("HER2_MAX_PIXELS", defaults.max_pixels),
            max_files=number("HER2_MAX_FILES", defaults.max_files),
            max_seconds=number("HER2_MAX_SECONDS", defaults.max_seconds),
            max_mib=max_mib,
        ),
        sign_in=sign_in,
        log_level=one_of("HER2_LOG_LEVEL", LOG_LEVELS) or "INFO",
        metrics=switch("HER2_METRICS", False),
        store_images=switch("HER2_STORE_IMAGES", True),
    )
