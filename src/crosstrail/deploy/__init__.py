"""From a checkout to a server that runs on Amazon Bedrock AgentCore."""
