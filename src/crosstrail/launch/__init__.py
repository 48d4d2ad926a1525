"""The commands that start servers, put together from the command line's options, the server and wrap."""
