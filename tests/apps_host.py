"""A small host of MCP Apps, as the specification of 2026-01-26 describes one in a browser.

The host's page and the sandbox proxy in it have different origins. The proxy shows the app in a frame, under the policy that is
the default for an app that names no domains, and passes messages on. The host answers ui/initialize, waits for the app's word that
it is ready, and sends it the call's arguments and result. `window.heard` has what the app said.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

CSP = (
    "default-src 'none'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "media-src 'self' data:; connect-src 'none'; object-src 'none'; base-uri 'self'"
)
_HOST = """<!doctype html><html lang="en"><title>A host</title>
<body style="margin:0"><iframe id="sandbox" title="app" sandbox="allow-scripts allow-same-origin" src="PROXY" style="border:0;width:100%;height:900px"></iframe>
<script>
window.heard = [];
let html = null, proxyReady = false, context = {};
const proxy = document.getElementById('sandbox'), origin = new URL(proxy.src).origin;
const send = (message) => proxy.contentWindow.postMessage({ jsonrpc: '2.0', ...message }, origin);
const load = () => { if (html && proxyReady) send({ method: 'ui/notifications/sandbox-resource-ready', params: { html } }); };
window.show = (page, input, result, given) => {
  html = page; context = given;
  window.later = () => {
    send({ method: 'ui/notifications/tool-input', params: { arguments: input } });
    send({ method: 'ui/notifications/tool-result', params: result });
  };
  load();
};
window.tell = (method, params) => send({ method, params });
window.ask = (method, params) => send({ id: 'host-1', method, params });
window.addEventListener('message', (event) => {
  if (event.source !== proxy.contentWindow || event.origin !== origin) return;
  const message = event.data;
  window.heard.push(message);
  if (message.method === 'ui/notifications/sandbox-proxy-ready') { proxyReady = true; load(); }
  else if (message.method === 'ui/initialize') send({ id: message.id, result: { protocolVersion: '2026-01-26', hostInfo: { name: 'test', version: '1' }, hostCapabilities: { serverTools: {} }, hostContext: context } });
  else if (message.method === 'ui/notifications/initialized') window.later();
  else if (message.method === 'ui/notifications/size-changed') proxy.style.height = `${message.params.height}px`;
  else if (message.method === 'ui/request-display-mode') send({ id: message.id, result: { mode: message.params.mode } });
  else if (message.method === 'tools/call') send({ id: message.id, result: { content: [{ type: 'text', text: `<b>record</b> of ${message.params.arguments.attribute_value}` }] } });
});
</script></body></html>"""
_PROXY = """<!doctype html><html lang="en"><title>A sandbox</title><body style="margin:0"><script>
let view = null;
window.addEventListener('message', (event) => {
  if (event.source === window.parent) {
    if (event.data.method === 'ui/notifications/sandbox-resource-ready') {
      view = document.createElement('iframe');
      view.id = 'view'; view.title = 'view';
      view.setAttribute('sandbox', 'allow-scripts allow-same-origin');
      view.setAttribute('style', 'border:0;width:100%;height:100vh;display:block');
      view.srcdoc = event.data.params.html;
      document.body.append(view);
    } else if (view) view.contentWindow.postMessage(event.data, '*');
  } else if (view && event.source === view.contentWindow) window.parent.postMessage(event.data, '*');
});
window.parent.postMessage({ jsonrpc: '2.0', method: 'ui/notifications/sandbox-proxy-ready', params: {} }, '*');
</script></body></html>"""


@contextmanager
def apps_host() -> Iterator[str]:
    """The address of the host's page, until the block ends."""
    with _serving(_PROXY, CSP) as proxy, _serving(_HOST.replace("PROXY", proxy), "") as host:
        yield host


@contextmanager
def _serving(page: str, csp: str) -> Iterator[str]:
    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = page.encode() if self.path == "/" else b""
            self.send_response(200 if body else 204)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            if csp:
                self.send_header("Content-Security-Policy", csp)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
