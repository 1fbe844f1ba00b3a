"""Accounts, rate-limited sign-in and the audit, in the database of the review store."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from her2core.accounts import limits, passwords
from her2core.accounts.records import (
    Account,
    AccountError,
    AuditEntry,
    Identity,
    Role,
    SignInError,
    checked_role,
)
from her2core.accounts.rows import (
    account_of,
    account_row,
    add_audit,
    checked_login,
    known_row,
    name_key,
)
from her2core.accounts.tables import AccountRow, AuditRow
from her2core.reviews.errors import ReviewRefusedError
from her2core.reviews.store import ReviewStore
from her2core.reviews.validation import reviewer_name

COMMAND_LINE = "command line"
_WRONG = "Name or password is wrong."


class AccountStore:
    """Who may sign in. Safe to share between threads; every method may raise StoreError."""

    def __init__(
        self, store: ReviewStore, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        """Use the database of this review store; `clock` gives the time, in UTC."""
        self._store = store
        self._clock = clock

    @property
    def reviews(self) -> ReviewStore:
        """The review store whose database this uses."""
        return self._store

    # accounts ------------------------------------------------------------------------------------

    def exist(self) -> bool:
        """Whether there is any account, even a disabled one."""
        with self._store.reading() as session:
            return session.scalar(select(AccountRow.id).limit(1)) is not None

    def accounts(self) -> list[Account]:
        """All accounts, by name."""
        with self._store.reading() as session:
            rows = [account_of(row) for row in session.scalars(select(AccountRow))]
        return sorted(rows, key=lambda account: account.name.casefold())

    def account(self, name: str) -> Account | None:
        """The account of this name, however it is capitalised."""
        with self._store.reading() as session:
            row = account_row(session, name)
            return None if row is None else account_of(row)

    def add(
        self,
        name: str,
        role: str,
        *,
        password: str | None = None,
        login: str | None = None,
    ) -> Account:
        """Create an account.

        Args:
            name: as it is going to stand in the review log, 1 to 80 characters.
            role: one of ROLES.
            password: for local sign-in; None where only OIDC signs in.
            login: e-mail address or subject at the OIDC provider.

        Raises:
            AccountError: the name or login is taken, or something about them is not valid.
        """
        try:
            name = reviewer_name(name)
        except ReviewRefusedError as error:
            raise AccountError(str(error).replace("Enter your name", "Give a name")) from None
        known_role = checked_role(role)
        login = checked_login(login) if login else None
        if password is None and login is None:
            raise AccountError("An account needs a password, or a login at the OIDC provider.")
        stored = passwords.hashed(password, name) if password is not None else None
        with self._store.writing() as session:
            if account_row(session, name) is not None:
                raise AccountError(f"There is an account “{name}” already.")
            if login and session.scalar(select(AccountRow.id).where(AccountRow.login == login)):
                raise AccountError(f"The login “{login}” belongs to another account already.")
            row = AccountRow(name=name, role=known_role, password_hash=stored, login=login)
            self._insert(session, row, f"{name} as {known_role}")
            return account_of(row)

    def set_role(self, name: str, role: str) -> Account:
        """Give a person another role; it counts from their next click on.

        Raises:
            AccountError: there is no such account or role.
        """
        known_role = checked_role(role)
        with self._store.writing() as session:
            row = known_row(session, name)
            before, row.role = row.role, known_role
            self._note(session, "role changed", f"{row.name}: {before} to {known_role}")
            return account_of(row)

    def set_password(self, name: str, password: str) -> None:
        """Give a person another password, and a fresh number of attempts.

        Raises:
            AccountError: there is no such account, or the password is too short or too easy.
        """
        stored = passwords.hashed(password, name)
        with self._store.writing() as session:
            row = known_row(session, name)
            row.password_hash = stored
            limits.unlock_account(session, self._clock(), row)
            self._note(session, "password changed", row.name)

    def set_disabled(self, name: str, disabled: bool) -> None:
        """Keep a person out from their next click on, or let them in again.

        Raises:
            AccountError: there is no such account.
        """
        with self._store.writing() as session:
            row = known_row(session, name)
            row.disabled = disabled
            self._note(session, f"account {'disabled' if disabled else 'enabled'}", row.name)

    def unlock(self, name: str) -> None:
        """Let a person try again at once, after too many failed sign-ins, from any address.

        Raises:
            AccountError: there is no such account.
        """
        with self._store.writing() as session:
            row = known_row(session, name)
            limits.unlock_account(session, self._clock(), row)
            self._note(session, "sign-in unlocked", row.name)

    def unlock_address(self, address: str) -> None:
        """Let an address try again at once.

        Raises:
            AccountError: it is no address of another machine.
        """
        with self._store.writing() as session:
            if not limits.unlock_address(session, address):
                raise AccountError(f"“{address}” is no address of another machine.")
            self._note(session, "sign-in unlocked", "an address")

    def unlock_all(self) -> None:
        """Let everybody try again at once."""
        with self._store.writing() as session:
            limits.unlock_all(session)
            self._note(session, "sign-in unlocked", "everybody")

    # sign-in -------------------------------------------------------------------------------------

    def sign_in(self, name: str, password: str, address: str = "") -> Identity:
        """Check a name and a password.

        Args:
            name: as it was typed.
            password: as it was typed.
            address: whence, as the server can know it; empty where it cannot.

        Raises:
            SignInError: they do not fit, the account is disabled, or there were too many failures
                of late (see limits); the sentence does not tell which name exists.
        """
        key = name_key(name)
        with self._store.writing() as session:
            row = account_row(session, name)
            refusal = limits.begin_attempt(session, self._clock(), key, address, row)
            stored = None if row is None else row.password_hash
            shut = row is None or row.disabled
        if refusal is not None:
            raise SignInError(refusal)
        # the slow part, outside the transaction
        fits = passwords.matches(stored, password) and not shut
        with self._store.writing() as session:
            row = account_row(session, name)
            if not fits or row is None:
                self._note(session, "sign-in failed", "", row.name if row else "unknown name")
            else:
                if stored is not None and passwords.is_outdated(stored):
                    row.password_hash = passwords.rehashed(password)
                limits.forget_attempts(session, self._clock(), key, address, row)
                self._note(session, "signed in", "account", row.name)
                return account_of(row).identity("account")
        raise SignInError(_WRONG)

    def sign_in_oidc(self, claims: Iterable[str], *, default_role: str | None) -> Identity:
        """The person whom the OIDC provider vouches for.

        Args:
            claims: what the provider calls them: verified e-mail address and subject.
            default_role: role of somebody without an account, who gets one under the first claim;
                None: such people stay out.

        Raises:
            SignInError: they have no account here, or a disabled one.
        """
        logins = [checked_login(claim) for claim in claims if claim.strip()]
        if not logins:
            raise SignInError("The sign-in service did not say who you are.")
        with self._store.writing() as session:
            row = session.scalar(select(AccountRow).where(AccountRow.login.in_(logins)))
            if row is None and default_role:
                row = self._first_visit(session, logins[0], checked_role(default_role))
            refused = row is None or row.disabled
            named = row.name if row else "unknown name"
            self._note(session, "sign-in failed" if refused else "signed in", "OIDC", named)
            account = None if row is None or refused else account_of(row)
        if account is None:
            raise SignInError(
                "You are known to the sign-in service, but have no account here; ask who runs "
                "this server for one."
            )
        return account.identity("oidc")

    def current(self, identity: Identity) -> Identity | None:
        """The same person as the database has them now; None once the account is disabled.

        Nobody is here unnamed any more once the first account is made.
        """
        if identity.way == "open":
            return None if self.exist() else identity
        known = self.account(identity.name)
        return None if known is None or known.disabled else known.identity(identity.way)

    # the audit -----------------------------------------------------------------------------------

    def note(self, actor: str, action: str, detail: str) -> None:
        """Add an audit entry; `detail` must hold neither file names nor comments."""
        with self._store.writing() as session:
            self._note(session, action, detail, actor)

    def audit(self, limit: int = 500, action: str = "", about: str = "") -> list[AuditEntry]:
        """The last entries, newest first: all, or of one action whose detail begins so."""
        wanted = select(AuditRow).where(AuditRow.detail.startswith(about, autoescape=True))
        if action:
            wanted = wanted.where(AuditRow.action == action)
        with self._store.reading() as session:
            rows = session.scalars(wanted.order_by(AuditRow.id.desc()).limit(limit))
            return [AuditEntry(r.happened_at, r.actor, r.action, r.detail) for r in rows]

    # ---------------------------------------------------------------------------------------------

    def _note(self, session: Session, action: str, detail: str, actor: str = COMMAND_LINE) -> None:
        add_audit(session, self._clock(), actor, action, detail)

    def _first_visit(self, session: Session, login: str, role: Role) -> AccountRow:
        if account_row(session, login) is not None:
            raise SignInError("Another account has your name; ask who runs this server.")
        name = login[:80]
        row = AccountRow(name=name, role=role, login=login)
        self._insert(session, row, f"{name} as {role}, at first visit", name)
        return row

    def _insert(
        self, session: Session, row: AccountRow, detail: str, by: str = COMMAND_LINE
    ) -> None:
        row.name_key = name_key(row.name)
        row.disabled = False
        row.created_at = self._clock()
        session.add(row)
        session.flush()
        self._note(session, "account added", detail, by)
