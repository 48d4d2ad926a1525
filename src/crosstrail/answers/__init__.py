"""What an answer says, as text and as data: tables, size, fences, coverage. Both front ends use it; it knows no MCP."""
