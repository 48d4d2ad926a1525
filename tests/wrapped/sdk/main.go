// An MCP server in Go with AWS's SDK: whose credentials it finds, with a named profile and without.
package main

import (
	"context"
	"log"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/modelcontextprotocol/go-sdk/mcp"
)

type asked struct {
	Profile string `json:"profile" jsonschema:"the profile to use; empty for none"`
}

func whoami(ctx context.Context, _ *mcp.CallToolRequest, in asked) (*mcp.CallToolResult, any, error) {
	loaded, err := config.LoadDefaultConfig(ctx, config.WithSharedConfigProfile(in.Profile))
	if err != nil {
		return nil, nil, err
	}
	found, err := sts.NewFromConfig(loaded).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		return nil, nil, err
	}
	return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: *found.Account}}}, nil, nil
}

func main() {
	server := mcp.NewServer(&mcp.Implementation{Name: "go", Version: "1"}, nil)
	mcp.AddTool(server, &mcp.Tool{Name: "whoami", Description: "Whose credentials these are."}, whoami)
	if err := server.Run(context.Background(), &mcp.StdioTransport{}); err != nil {
		log.Fatal(err)
	}
}
