// Listens: to the pointer, the keys, the printer; and begins.
function listen() {
  const on = (id, what, how) => element(id).addEventListener(what, how);
  on('in', 'click', () => zoom(.5));
  on('out', 'click', () => zoom(2));
  on('earlier', 'click', () => pan(-.5));
  on('later', 'click', () => pan(.5));
  on('all', 'click', () => zoomTo(all.from, all.to));
  on('before', 'click', () => step(-1));
  on('after', 'click', () => step(1));
  on('print', 'click', () => window.print());
  on('theme', 'click', () => setTheme(document.documentElement.dataset.theme === 'dark' ? 'light' : 'dark'));
  on('keys', 'click', () => { const help = element('help'); help.hidden = !help.hidden; element('keys').setAttribute('aria-expanded', String(!help.hidden)); });
  on('search', 'input', () => { chosen.words = element('search').value.toLowerCase().split(/\s+/).filter(Boolean).slice(0, 8); refilter(); });
  KINDS.forEach((_, kind) => on(`kind-${kind}`, 'change', (event) => { chosen.kinds[kind] = event.target.checked; refilter(); }));
  on('only-found', 'change', (event) => { chosen.found = event.target.checked; refilter(); });
  on('lanes-by', 'change', (event) => { chosen.by = event.target.value; chosen.lane = -1; refilter(); });
  on('table-box', 'toggle', () => fillTable());
  on('page-back', 'click', () => { page.at = Math.max(page.at - page.rows, 0); fillTable(); });
  on('page-on', 'click', () => { page.at += page.rows; fillTable(); });
  document.addEventListener('keydown', (event) => { if (all && onKey(event)) event.preventDefault(); });
  listenToPointer();
  new ResizeObserver(redraw).observe(element('main'));
  window.addEventListener('beforeprint', beforePrint);
  window.addEventListener('afterprint', afterPrint);
}

// Whether the key was one of ours.
function onKey(event) {
  const typing = event.target.closest('input[type=search], select, textarea');
  if (event.key === 'Escape') {
    if (typing && typing.value && typing.id === 'search') { typing.value = ''; typing.dispatchEvent(new Event('input')); } else pick(-1);
    return true;
  }
  if (typing || event.ctrlKey || event.metaKey || event.altKey) return false;
  const onField = element('field').contains(event.target), anywhere = { '+': () => zoom(.5), '=': () => zoom(.5), '-': () => zoom(2), '0': () => zoomTo(all.from, all.to), 'n': nextFinding, '/': () => element('search').focus() };
  if (anywhere[event.key]) { anywhere[event.key](); return true; }
  const scrolls = event.target.closest('pre, .scroll, summary');
  if (scrolls || !(onField || event.target === document.body || event.target.closest('#event'))) return false;
  const moves = { ArrowLeft: () => event.shiftKey ? pan(-.25) : step(-1), ArrowRight: () => event.shiftKey ? pan(.25) : step(1) };
  if (onField) Object.assign(moves, { ArrowUp: () => stepLane(-1), ArrowDown: () => stepLane(1), Home: () => pickInView(view.first), End: () => pickInView(view.last - 1), Enter: () => element('event-title').focus() });
  if (!moves[event.key]) return false;
  moves[event.key]();
  return true;
}

function pickInView(spot) { if (view.last > view.first) pick(view.matches[spot]); }

function listenToPointer() {
  drag('histogram', (x, moved, width) => { brush = { from: moved.start, to: x }; redraw(); }, (x, moved, width) => {
    const [left, right] = [Math.min(moved.start, x), Math.max(moved.start, x)], span = view.to - view.from, from = view.from;
    brush = null;
    if (right - left > 4) zoomTo(from + left / width * span, from + right / width * span); else redraw();
  });
  const centre = (x, _, width) => { const half = (view.to - view.from) / 2, at = all.from + x / width * (all.to - all.from); zoomTo(at - half, at + half); };
  drag('overview', centre, centre);
  drag('marks', (x, moved, width) => { if (moved.far) pan((moved.last - x) / width); }, (x, moved, width, y) => { if (!moved.far) pick(nearest(x, y, width), { follow: false }); });
  for (const id of ['histogram', 'overview', 'marks']) {
    element(id).addEventListener('wheel', (event) => {
      const field = element('field');
      if (!all || (id === 'marks' && !event.ctrlKey && !event.metaKey && document.activeElement !== field)) return;
      event.preventDefault();
      if (Math.abs(event.deltaX) > Math.abs(event.deltaY)) pan(event.deltaX / 800);
      else zoom(Math.exp(Math.max(Math.min(event.deltaY, 200), -200) / 300), id === 'overview' ? .5 : event.offsetX / element(id).clientWidth);
    }, { passive: false });
  }
  element('marks').addEventListener('pointermove', hover);
  element('marks').addEventListener('pointerleave', () => { element('tip').hidden = true; });
}

// `during` and `after` are called with the pointer's place, what is known of the drag, and the width.
function drag(id, during, after) {
  const canvas = element(id), place_ = (event) => [event.clientX - canvas.getBoundingClientRect().left, event.clientY - canvas.getBoundingClientRect().top];
  let moved = null;
  canvas.addEventListener('pointerdown', (event) => {
    if (event.button || !all) return;
    const [x] = place_(event);
    moved = { start: x, last: x, far: false };
    canvas.setPointerCapture(event.pointerId);
    if (id === 'marks') element('field').focus({ preventScroll: true });
    event.preventDefault();
  });
  canvas.addEventListener('pointermove', (event) => {
    if (!moved) return;
    const [x] = place_(event);
    moved.far = moved.far || Math.abs(x - moved.start) > 4;
    during(x, moved, canvas.clientWidth);
    moved.last = x;
  });
  canvas.addEventListener('pointerup', (event) => {
    if (!moved) return;
    const [x, y] = place_(event), ended = moved;
    moved = null;
    after(x, ended, canvas.clientWidth, y);
  });
  canvas.addEventListener('pointercancel', () => { moved = null; brush = null; redraw(); });
}

function hover(event) {
  if (!all || event.buttons) return;
  const canvas = element('marks'), i = nearest(event.offsetX, event.offsetY, canvas.clientWidth), tip = element('tip');
  canvas.style.cursor = i >= 0 ? 'pointer' : '';
  tip.hidden = i < 0;
  if (i < 0) return;
  const lines = [nameOf(i), `${moment(all.time[i])} · ${WORDS[all.kind[i]]}${textOf(i, 'error') ? ` · ${textOf(i, 'error')}` : ''}`, textOf(i, 'principal'), textOf(i, 'address')];
  tip.replaceChildren(...lines.filter(Boolean).map((line) => made('p', '', line)));
  tip.style.left = `${Math.min(event.clientX + 14, window.innerWidth - tip.offsetWidth - 8)}px`;
  tip.style.top = `${event.clientY + 18 + tip.offsetHeight > window.innerHeight ? event.clientY - tip.offsetHeight - 12 : event.clientY + 18}px`;
}

const PRINTED_ROWS = 250;
let before = null;
function beforePrint() {
  if (!all || before) return;
  before = { theme: document.documentElement.dataset.theme, open: element('table-box').open };
  document.documentElement.dataset.theme = 'light';
  element('table-box').open = true;
  printing = 480;
  fillTable(PRINTED_ROWS);
  drawAll();
}

function afterPrint() {
  if (!before) return;
  printing = 0;
  element('table-box').open = before.open;
  setTheme(before.theme);
  before = null;
  fillTable();
}

const preferred = window.matchMedia('(prefers-color-scheme: dark)');
setTheme(preferred.matches ? 'dark' : 'light');
preferred.addEventListener('change', () => setTheme(preferred.matches ? 'dark' : 'light'));
listen();
const given = JSON.parse(element('data').textContent || 'null');
if (given) show(given); else connectToHost();
