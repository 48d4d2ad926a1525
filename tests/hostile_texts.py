"""Texts that whoever is in a log may have chosen, against whoever shows them."""

from __future__ import annotations

from itertools import islice, product

_RUNS = (
    "alert(1)", "window.pwned=1", "fetch('http://127.0.0.1:9/x')", "document.body.remove()", "parent.postMessage('x','*')",
    "location='http://127.0.0.1:9/'", "prompt()")  # fmt: skip
_FORMS = (
    "<script>{}</script>", "</script><script>{}</script>", "<img src=x onerror={}>", "<svg onload={}>", "<svg><script>{}</script>",
    "<iframe srcdoc='<script>{}</script>'>", "<iframe src=javascript:{}>", "javascript:{}", "JaVaScRiPt:{}", "<a href='javascript:{}'>x</a>",
    "'\"><script>{}</script>", "\"-{}-\"", "';{};//", "`${{{}}}`", "${{{}}}", "{{{{{}}}}}", "{{{{constructor.constructor('{}')()}}}}",
    "<!--<script>{}", "--><script>{}</script>", "<!--", "]]><script>{}</script>", "<math><mi xlink:href='javascript:{}'>x</mi></math>",
    "<style>@import 'http://127.0.0.1:9/{}';</style>", "</style><script>{}</script>", "</title><script>{}</script>",
    "</textarea><script>{}</script>", "<body onload={}>", "<details open ontoggle={}>", "<video><source onerror={}>", "<object data='javascript:{}'>",
    "<embed src='javascript:{}'>", "<base href='http://127.0.0.1:9/'>{}", "<meta http-equiv=refresh content='0;url=javascript:{}'>",
    "<link rel=stylesheet href='http://127.0.0.1:9/{}'>", "<form action='javascript:{}'><button>", "<input autofocus onfocus={}>",
    "<template shadowrootmode=open><script>{}</script></template>", "\\u003cscript\\u003e{}\\u003c/script\\u003e", "&lt;script&gt;{}&lt;/script&gt;",
    "%3Cscript%3E{}%3C/script%3E", "expression({})", "url(javascript:{})", "x:expression({});background:url(http://127.0.0.1:9/)",
    "=HYPERLINK(\"http://127.0.0.1:9/{}\")", "[x](javascript:{})", "![x](http://127.0.0.1:9/{})", "data:text/html,<script>{}</script>",
    "\u202e{}\u202c", "\u2066{}\u2069\u200f", "\x00{}\x00", "\x1b[2J{}\x1b]0;x\x07", "\ufeff{}\ufffe\uffff", "\u2028{}\u2029",
    "{}\r\nSet-Cookie: a=b", "{}" + "\t" * 40, "{}" + "A" * 100_000, "{}" + "\u0301" * 500, "\U0001f468\u200d\U0001f469\u200d\U0001f467{}", "",
    "__proto__", "constructor", "toString", "hasOwnProperty", "null", "undefined", "NaN",
)  # fmt: skip


def hostile_texts() -> list[str]:
    """300, each another one."""
    made = dict.fromkeys(form.format(run) if "{" in form else form for run, form in product(_RUNS, _FORMS))
    texts = list(islice(made, 300))
    assert len(texts) == 300
    return texts
