"""The MCP server. Only app, context, tools, prompts and resources know MCP; the other modules here are plain functions."""
