"""What an account, an identity and an audit entry are, and what each role may do. No SQL here."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal, get_args

from her2core.common.refusal import RefusalError

Role = Literal["reviewer", "adjudicator", "administrator"]
ROLES: tuple[Role, ...] = get_args(Role)
SignInWay = Literal["oidc", "account", "open"]


class AccountError(RefusalError, ValueError):
    """An account cannot be made, changed or used; str(error) is one calm sentence."""


class SignInError(AccountError):
    """The sign-in is refused; the sentence does not tell which part was wrong."""


class NotAllowedError(PermissionError):
    """This role may not do that; str(error) is one calm sentence."""


class Permission(StrEnum):
    """What can be allowed; the value completes "may not ..."."""

    REVIEW = "review patches"
    TAKE_IN = "take patches in"
    EXPORT = "export the review log"
    ADJUDICATE = "adjudicate double reads"
    ASSIGN = "assign patches"
    CHOOSE_MODELS = "choose which models are used"
    SEE_AUDIT = "see the audit"


_REVIEWER = frozenset({Permission.REVIEW, Permission.TAKE_IN, Permission.EXPORT})
# An administrator reads patches like a reviewer, but does not decide where two others differ:
# who gives out the work must not be able to settle it too.
MAY: Mapping[Role, frozenset[Permission]] = {
    "reviewer": _REVIEWER,
    "adjudicator": _REVIEWER | {Permission.ADJUDICATE},
    "administrator": frozenset(Permission) - {Permission.ADJUDICATE},
}
MAY_ALONE = frozenset(Permission) - {Permission.ADJUDICATE, Permission.ASSIGN}


@dataclass(frozen=True)
class Identity:
    """Who is at the page.

    Attributes:
        name: as it stands in the review log; empty while the sole user has not typed one.
        role: what the person is here for.
        way: how they were recognised; "open": nobody signs in, the name is what is typed.
    """

    name: str
    role: Role
    way: SignInWay

    @property
    def permissions(self) -> frozenset[Permission]:
        """What this person may do; whoever is alone on a machine may do all that one can."""
        return MAY_ALONE if self.way == "open" else MAY[self.role]

    def may(self, permission: Permission) -> bool:
        """Whether this is allowed."""
        return permission in self.permissions


@dataclass(frozen=True)
class Account:
    """A person who may sign in.

    Attributes:
        id: number in the database.
        name: as it stands in the review log.
        role: what they may do.
        login: what an OIDC provider calls them (e-mail or subject), None for local sign-in only.
        has_password: whether local sign-in is possible.
        disabled: may not sign in any more; their reviews stay.
    """

    id: int
    name: str
    role: Role
    login: str | None
    has_password: bool
    disabled: bool

    def identity(self, way: SignInWay) -> Identity:
        """This person, signed in."""
        return Identity(self.name, self.role, way)


@dataclass(frozen=True)
class AuditEntry:
    """One thing that was done. `detail` never holds a file name or a comment."""

    happened_at: datetime
    actor: str
    action: str
    detail: str


def checked_role(text: str) -> Role:
    """The role of this name.

    Raises:
        AccountError: there is none.
    """
    if text not in ROLES:
        raise AccountError(f"“{text}” is no role; known are {', '.join(ROLES)}.")
    return text
