"""The record of calls as files: their names, how a line names its accounts, and how they are read. The server writes them."""
