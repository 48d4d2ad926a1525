"""Who sends a request over HTTP: sign-in, tokens, credentials in headers."""
