"""Whether a running MCP server, ours or anybody's, does what a deployment for many accounts needs."""
