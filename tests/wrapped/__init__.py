"""MCP servers for the tests of `crosstrail wrap`: programs of their own that know nothing of crosstrail."""
