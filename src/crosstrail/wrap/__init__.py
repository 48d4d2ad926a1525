"""Any MCP server that speaks stdio, unedited, for many accounts: one child process an account."""
