"""Who may sign in: add people, set roles and passwords, read the audit.

    add NAME --role ROLE [--login E-MAIL] [--password-stdin]     a new account
    list        all accounts          set-role NAME ROLE     another role
    set-password NAME                 disable NAME, enable NAME
    unlock NAME, unlock --all, unlock --address A     try again after too many failed sign-ins
    audit       the last things done

A password is asked for twice, or read from the first line of standard input.
Exit status: 0 done, 1 refused with a sentence, 2 the command is wrong or the database unusable.
"""

import argparse
import getpass
import sys
from collections.abc import Sequence
from contextlib import closing

from her2core.accounts.records import ROLES, AccountError
from her2core.accounts.store import AccountStore
from her2core.common.text import printable
from her2core.reviews.store import ReviewStore, StoreError
from her2core.settings import load_settings


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    options = _parser().parse_args(arguments)
    try:
        with closing(ReviewStore(options.database or load_settings().database_url)) as store:
            _run(AccountStore(store), options)
    except AccountError as error:
        print(error, file=sys.stderr)
        return 1
    except (StoreError, ValueError) as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m her2core.accounts",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--database", metavar="URL", help="default: this installation's own")
    commands = parser.add_subparsers(dest="command", required=True)

    def command(name: str, says: str) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=says)
        if name not in ("list", "audit", "unlock"):
            made.add_argument("name", help="as it stands in the review log")
        return made

    add = command("add", "create an account")
    add.add_argument("--role", required=True, choices=ROLES)
    add.add_argument("--login", help="e-mail or subject at the OIDC provider; no password then")
    setting = command("set-password", "give a person another password")
    for one in (add, setting):
        one.add_argument(
            "--password-stdin", action="store_true", help="read it from standard input"
        )
    command("list", "all accounts with their roles")
    command("set-role", "give a person another role").add_argument("role", choices=ROLES)
    command("disable", "keep a person out; their reviews stay")
    command("enable", "let a person in again")
    unlock = command("unlock", "let people try again at once after too many failed sign-ins")
    whom = unlock.add_mutually_exclusive_group(required=True)
    whom.add_argument("name", nargs="?", help="as it stands in the review log")
    whom.add_argument("--address", metavar="A", help="IP address that was closed")
    whom.add_argument("--all", action="store_true", help="everybody")
    command("audit", "the last things done").add_argument("--last", type=int, default=50)
    return parser


def _run(accounts: AccountStore, options: argparse.Namespace) -> None:
    match options.command:
        case "add":
            wants_password = options.password_stdin or options.login is None
            made = accounts.add(
                options.name,
                options.role,
                password=_password(options.password_stdin) if wants_password else None,
                login=options.login,
            )
            print(f"{made.name} may sign in as {made.role}.")
        case "set-password":
            accounts.set_password(options.name, _password(options.password_stdin))
            print("The password is changed.")
        case "set-role":
            print(f"{options.name} is {accounts.set_role(options.name, options.role).role} now.")
        case "disable" | "enable":
            accounts.set_disabled(options.name, options.command == "disable")
            print(f"{options.name} may {'not ' if options.command == 'disable' else ''}sign in.")
        case "unlock" if options.all:
            accounts.unlock_all()
            print("Everybody may try again.")
        case "unlock" if options.address:
            accounts.unlock_address(options.address)
            print(f"{options.address} may try again.")
        case "unlock":
            accounts.unlock(options.name)
            print(f"{options.name} may try again.")
        case "list":
            for account in accounts.accounts():
                ways = [*(["password"] if account.has_password else []), account.login or ""]
                state = "disabled" if account.disabled else "active"
                print("\t".join((account.name, account.role, state, " ".join(ways).strip())))
        case "audit":
            for entry in accounts.audit(options.last):
                when = f"{entry.happened_at:%Y-%m-%d %H:%M:%S}"
                print("\t".join((when, entry.actor, entry.action, printable(entry.detail))))


def _password(from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    first = getpass.getpass("Password: ")
    if getpass.getpass("Once more: ") != first:
        raise AccountError("The two passwords differ; nothing was changed.")
    return first


if __name__ == "__main__":
    sys.exit(main())
