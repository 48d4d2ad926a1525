"""MCP clients of this machine: where each keeps its servers, and an entry of ours in that file."""
