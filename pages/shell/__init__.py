"""What all pages share: session, sign-in, drafts, theme and the services of the server."""
