// Inside a host of MCP Apps (2026-01-26): JSON-RPC by postMessage with the window above, and no other.
let asked = 0, hostContext = {}, hostCan = {};
const waiting = new Map();

function post(message) { window.parent.postMessage({ jsonrpc: '2.0', ...message }, '*'); }

function ask(method, params) {
  const id = ++asked;
  return new Promise((done, failed) => {
    waiting.set(id, { done, failed });
    post({ id, method, params });
  });
}

function connectToHost() {
  element('waiting').hidden = false;
  if (window.parent === window) { say('waiting', 'This page holds no events.'); return; }
  document.body.classList.add('app');
  element('print').hidden = true;
  window.addEventListener('message', (event) => { if (event.source === window.parent) hear(event.data); });
  ask('ui/initialize', { protocolVersion: '2026-01-26', appInfo: { name: 'crosstrail-timeline', version: '1' }, appCapabilities: { availableDisplayModes: ['inline', 'fullscreen'] } }).then((result) => {
    hostCan = result.hostCapabilities || {};
    heed(result.hostContext || {});
    post({ method: 'ui/notifications/initialized', params: {} });
    new ResizeObserver(tellSize).observe(document.body);
    element('full').addEventListener('click', () => ask('ui/request-display-mode', { mode: hostContext.displayMode === 'fullscreen' ? 'inline' : 'fullscreen' }).then((set) => heed({ displayMode: set.mode }), () => undefined));
  }, () => say('waiting', 'The host did not answer.'));
}

function hear(message) {
  if (!message || message.jsonrpc !== '2.0') return;
  if (message.id !== undefined && !message.method) {
    const one = waiting.get(message.id);
    waiting.delete(message.id);
    if (one) { if (message.error) one.failed(message.error); else one.done(message.result || {}); }
    return;
  }
  const params = message.params || {};
  if (message.method === 'ui/notifications/tool-result') take(params);
  else if (message.method === 'ui/notifications/tool-cancelled') say('waiting', 'The call was cancelled.');
  else if (message.method === 'ui/notifications/host-context-changed') heed(params);
  else if (message.id !== undefined) {
    if (message.method === 'ping' || message.method === 'ui/resource-teardown') post({ id: message.id, result: {} });
    else post({ id: message.id, error: { code: -32601, message: 'no such method' } });
  }
}

function take(result) {
  const data = (result.structuredContent || {}).timeline || (result._meta || {})['crosstrail/timeline'];
  if (data) { show(data); return; }
  element('waiting').hidden = false;
  element('content').hidden = true;
  say('waiting', (result.content || []).filter((one) => one.type === 'text').map((one) => one.text).join('\n') || 'There is nothing to show.');
}

function heed(changed) {
  hostContext = { ...hostContext, ...changed };
  if (changed.theme === 'dark' || changed.theme === 'light') setTheme(changed.theme);
  element('full').hidden = !(hostContext.availableDisplayModes || []).includes('fullscreen');
  say('full', hostContext.displayMode === 'fullscreen' ? 'Smaller' : 'Full screen');
}

let told = '';
function tellSize() {
  const size = { width: Math.ceil(document.documentElement.clientWidth), height: Math.ceil(document.body.scrollHeight) }, now = `${size.width} ${size.height}`;
  if (now !== told) post({ method: 'ui/notifications/size-changed', params: size });
  told = now;
}

// A record that the page does not hold, of a host that passes calls on.
function askForRecord(i) {
  if (!hostCan.serverTools) return;
  const from = all, wanted = { target_account_id: all.data.ids[all.columns.account[i]] || '', attribute_key: 'EventId', attribute_value: all.ids[i], detail: 'full' };
  say('record', 'Asking for the record.');
  ask('tools/call', { name: 'lookup_events', arguments: wanted }).then((result) => (result.content || []).filter((one) => one.type === 'text').map((one) => one.text).join('\n'), () => 'The record could not be had.').then((text) => { if (all === from && view.picked === i) say('record', text); });
}
