// An MCP server in JavaScript with AWS's SDK: whose credentials it finds, with a profile that it names itself and without.
import { GetCallerIdentityCommand, STSClient } from "@aws-sdk/client-sts";
import { fromIni } from "@aws-sdk/credential-providers";
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { StdioServerTransport } from "@modelcontextprotocol/sdk/server/stdio.js";
import { z } from "zod";

const server = new McpServer({ name: "javascript", version: "1" });
server.registerTool("whoami", { inputSchema: { profile: z.string() } }, async ({ profile }) => {
  const client = new STSClient(profile ? { credentials: fromIni({ profile }) } : {});
  const found = await client.send(new GetCallerIdentityCommand({}));
  return { content: [{ type: "text", text: found.Account }] };
});
await server.connect(new StdioServerTransport());
