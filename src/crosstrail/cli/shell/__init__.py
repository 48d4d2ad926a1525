"""`crosstrail sql`: statements typed, pasted or piped, one workspace and one warm worker for all of them.

statements.py parts the text, commands.py has what begins with a dot or a backslash, session.py asks the engine, printing.py shows
rows, completion.py knows the names there are; prompt.py alone knows the terminal's library.
"""
