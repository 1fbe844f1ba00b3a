"""Who is who: accounts, roles and what each may do, sign-in, and the audit of all of it."""
