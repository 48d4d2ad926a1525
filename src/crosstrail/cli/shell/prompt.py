"""The terminal of the shell: the line that is edited, its history, colours and completions. prompt_toolkit and pygments are here alone.

Decides keys: Enter runs what is finished and else begins a new line, Tab takes the only
completion or shows all, Ctrl-C drops what was typed, Ctrl-D on an empty line leaves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from prompt_toolkit import PromptSession
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.completion import CompleteEvent, Completer, Completion, PathCompleter
from prompt_toolkit.document import Document
from prompt_toolkit.filters import Condition, has_focus
from prompt_toolkit.history import FileHistory, History, InMemoryHistory
from prompt_toolkit.input import Input
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.lexers import PygmentsLexer
from prompt_toolkit.output import Output
from prompt_toolkit.styles import Style
from pygments.lexers.sql import SqlLexer
from pygments.token import Keyword, Name, _TokenType

from crosstrail.answers.sql_reference import function_groups, words_of_statements
from crosstrail.cli.shell.completion import CommandWords, candidates
from crosstrail.cli.shell.statements import is_finished
from crosstrail.private import create, make_root
from crosstrail.user_folders import state_folder

_PROMPT = "crosstrail> "
_CONTINUED = f"{'-> ':>{len(_PROMPT)}}"
_HISTORY = "sql_history"
_COLOURS = {
    "prompt": "bold",
    "pygments.keyword": "bold",
    "pygments.name.function": "ansimagenta",
    "pygments.literal.string": "ansigreen",
    "pygments.literal.number": "ansigreen",
    "pygments.comment": "italic ansibrightblack",
}
"""Readable on light and on dark backgrounds: no yellow, cyan or blue."""
_PLAIN = {"prompt": "bold"}


class _Lexer(SqlLexer):  # type: ignore[misc]  # pygments has no types
    """SQL with the words and functions that are answered here."""

    _words = frozenset(words_of_statements())
    _functions = frozenset(one.name for group in function_groups() for one in group.functions)

    def get_tokens_unprocessed(self, text: str) -> Iterator[tuple[int, _TokenType, str]]:
        for place, kind, value in super().get_tokens_unprocessed(text):
            if kind in Keyword or kind in Name:
                called = text[place + len(value) :].lstrip()[:1] == "("
                kind = Keyword if value.upper() in self._words else Name
                kind = Name.Function if called and value.lower() in self._functions else kind
            yield place, kind, value


class _Completer(Completer):
    def __init__(self, tables: Callable[[], Sequence[str]], commands: Sequence[CommandWords]) -> None:
        self._tables = tables
        self._commands = commands
        self._paths = PathCompleter(expanduser=True)

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterable[Completion]:
        before = document.text_before_cursor
        name, _, argument = before.lstrip()[1:].partition(" ")
        if before.lstrip()[:1] in (".", "\\") and any(one.name == name and one.takes_path for one in self._commands):
            yield from self._paths.get_completions(Document(argument.lstrip()), complete_event)
            return
        for one in candidates(before, self._tables(), self._commands):
            yield Completion(one.text, -one.replaces, display_meta=one.about)


class Prompt:
    """Asks for the next text. `tables`: names that FROM takes; `typing`: told when somebody begins to write."""

    def __init__(
        self,
        tables: Callable[[], Sequence[str]],
        commands: Sequence[CommandWords],
        typing: Callable[[], None],
        *,
        colour: bool = True,
        history: bool = True,
        keyboard: Input | None = None,
        screen: Output | None = None,
    ) -> None:
        """`keyboard` and `screen`: other than those of the process. Raises OSError where the history cannot be written."""
        self._session: PromptSession[str] = PromptSession(
            _PROMPT,
            multiline=True,
            prompt_continuation=_CONTINUED,
            lexer=PygmentsLexer(_Lexer) if colour else None,
            style=Style.from_dict(_COLOURS if colour else _PLAIN),
            include_default_pygments_style=False,
            completer=_Completer(tables, commands),
            complete_while_typing=False,
            enable_open_in_editor=True,
            history=_history() if history else InMemoryHistory(),
            key_bindings=_keys(),
            input=keyboard,
            output=screen,
        )

        def changed(_: Buffer) -> None:
            typing()

        self._session.default_buffer.on_text_changed += changed

    async def text(self, draft: str = "") -> str | None:
        """What was typed, with `draft` to begin with; empty after Ctrl-C, None after Ctrl-D."""
        try:
            return await self._session.prompt_async(default=draft, handle_sigint=False)
        except KeyboardInterrupt:
            return ""
        except EOFError:
            return None


def _keys() -> KeyBindings:
    keys = KeyBindings()

    @Condition
    def finished() -> bool:
        from prompt_toolkit.application import get_app

        return is_finished(get_app().current_buffer.text)

    @keys.add("enter", filter=has_focus("DEFAULT_BUFFER") & finished)
    def run(event: KeyPressEvent) -> None:
        event.current_buffer.validate_and_handle()

    @keys.add("tab", filter=has_focus("DEFAULT_BUFFER"))
    def complete(event: KeyPressEvent) -> None:
        buffer = event.current_buffer
        if buffer.complete_state:
            buffer.complete_next()
            return
        found = list(buffer.completer.get_completions(buffer.document, CompleteEvent(completion_requested=True)))
        if len(found) == 1:
            buffer.apply_completion(found[0])
        elif found:
            buffer.start_completion(insert_common_part=True)

    return keys


def _history() -> History:
    """In memory alone where the user has no home."""
    folder = state_folder()
    if folder is None:
        return InMemoryHistory()
    path: Path = folder / _HISTORY
    make_root(folder)
    if not path.exists():
        create(path)
    return FileHistory(str(path))
