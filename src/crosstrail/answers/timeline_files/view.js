// What can be done: filters, zoom, choosing an event, keys, print. Texts of events become text nodes and nothing else.
const element = (id) => document.getElementById(id);

function say(id, text) { element(id).textContent = text; }

// An element with a class of ours and children: texts become text nodes.
function made(tag, className, ...children) {
  const one = document.createElement(tag);
  if (className) one.className = className;
  one.append(...children.map((child) => typeof child === 'string' ? document.createTextNode(child) : child));
  return one;
}

let speaking = 0;
function announce(text) {
  clearTimeout(speaking);
  speaking = setTimeout(() => say('live', text), 120);
}

function show(data) {
  all = unpacked(data);
  Object.assign(view, { from: all.from, to: all.to, picked: -1 });
  Object.assign(chosen, { kinds: [true, true, true], words: [], found: false, lane: -1, by: data.lanes });
  element('search').value = '';
  element('lanes-by').value = data.lanes;
  KINDS.forEach((_, kind) => { element(`kind-${kind}`).checked = true; });
  element('only-found').checked = false;
  element('content').hidden = false;
  element('waiting').hidden = true;
  element('ghost').hidden = !data.bins;
  say('title', data.title);
  document.title = data.title;
  say('asked', data.asked);
  element('coverage').replaceChildren(...data.coverage.map((line) => made('li', '', line)));
  fillSums();
  fillFindings();
  refilter();
  showEvent();
}

function fillSums() {
  const kinds = [0, 0, 0];
  for (const kind of all.kind) kinds[kind]++;
  kinds.forEach((many, kind) => say(`count-${kind}`, number(many)));
  const distinct = (column) => new Set(all.columns[column]).size;
  const sums = [['', 'events', all.data.total], ['write', 'writes', all.data.writes], ['denied', 'denied', all.data.denied], ['', 'principals', distinct('principal')], ['', 'accounts', distinct('account')]];
  if (all.data.detected) sums.push(['found', 'findings', all.findings.length]);
  element('sums').replaceChildren(...sums.map(([kind, word, many]) => made('div', kind, made('dt', '', word), made('dd', '', number(many)))));
}

function refilter() {
  filter();
  arrangeLanes();
  element('names').replaceChildren(...view.lanes.map(laneName));
  const chip = made('button', '', `${element('lanes-by').selectedOptions[0].textContent}: ${chosen.lane >= 0 ? all.texts[chosen.lane] || '(none)' : ''}  ✕`);
  chip.type = 'button';
  chip.setAttribute('aria-label', 'Show all lanes again');
  chip.addEventListener('click', () => { chosen.lane = -1; refilter(); element('field').focus(); });
  element('chips').replaceChildren(...(chosen.lane >= 0 ? [chip] : []));
  rewindow();
}

function laneName(lane) {
  if (lane.key < 0) return made('li', '', made('span', 'rest', lane.name));
  const button = made('button', '', made('span', 'name', lane.name.replace(/^assumed-role\//, '')), made('span', 'many', number(lane.many)));
  button.type = 'button';
  button.setAttribute('aria-pressed', String(chosen.lane === lane.key));
  button.addEventListener('click', () => { chosen.lane = chosen.lane === lane.key ? -1 : lane.key; refilter(); });
  return made('li', '', button);
}

// After a change of what is in view.
function rewindow() {
  cutToWindow();
  const many = view.last - view.first;
  say('range', `${moment(view.from)} to ${moment(view.to)} UTC`);
  say('in-view', `${number(many)} event${many === 1 ? '' : 's'} in view`);
  element('histogram').setAttribute('aria-label', `Events over time: ${number(many)} in view`);
  element('marks').setAttribute('aria-label', `${number(many)} events in ${number(view.lanes.length)} lanes`);
  announce(`${number(many)} events in view, ${moment(view.from)} to ${moment(view.to)}`);
  page.at = 0;
  fillTable();
  redraw();
}

function zoomTo(from, to) {
  const span = Math.min(Math.max(to - from, 2 * SECOND), all.to - all.from), start = Math.min(Math.max(from, all.from), all.to - span);
  Object.assign(view, { from: start, to: start + span });
  rewindow();
}

// `factor` below 1 comes nearer; the time at `share` of the width stays in its place.
function zoom(factor, share = .5) {
  const span = view.to - view.from, fixed = view.from + span * share;
  const wide = Math.min(Math.max(span * factor, 2 * SECOND), all.to - all.from);
  zoomTo(fixed - wide * share, fixed + wide * (1 - share));
}

function pan(share) {
  const by = (view.to - view.from) * share;
  zoomTo(view.from + by, view.to + by);
}

function pick(i, { follow = true } = {}) {
  view.picked = i;
  if (i >= 0 && follow && (all.time[i] < view.from || all.time[i] >= view.to)) {
    const half = (view.to - view.from) / 2;
    zoomTo(all.time[i] - half, all.time[i] + half);
  }
  showEvent();
  fillTable();
  redraw();
  if (i >= 0) announce(`${nameOf(i)}, ${WORDS[all.kind[i]]}, ${textOf(i, 'principal')}, ${moment(all.time[i])}`);
}

function step(by) {
  const matches = view.matches, now = matches.indexOf(view.picked);
  if (!matches.length) return;
  if (now < 0) pick(matches[by > 0 ? Math.min(view.first, matches.length - 1) : Math.max(view.last - 1, 0)]);
  else if (now + by >= 0 && now + by < matches.length) pick(matches[now + by]);
}

function stepLane(by) {
  if (view.picked < 0) { step(1); return; }
  for (let lane = view.laneOf[view.picked] + by; lane >= 0 && lane < view.lanes.length; lane += by) {
    let best = -1, least = Infinity;
    for (const i of view.matches) {
      const far = Math.abs(all.time[i] - all.time[view.picked]);
      if (view.laneOf[i] === lane && far < least) { least = far; best = i; }
    }
    if (best >= 0) { pick(best); return; }
  }
}

function nextFinding() {
  const found = [...view.matches].filter((i) => all.found[i]), next = found.find((i) => i > view.picked);
  if (found.length) pick(next === undefined ? found[0] : next);
}

function showEvent() {
  const i = view.picked;
  element('no-event').hidden = i >= 0;
  element('one').hidden = i < 0;
  element('before').disabled = element('after').disabled = !view.matches.length;
  if (i < 0) { say('event-title', 'Event'); return; }
  say('event-title', nameOf(i));
  const marked = all.findings.filter((one) => one.events.includes(i));
  element('marked').replaceChildren(...marked.map((one) => made('li', '', level(one), one.title)));
  const facts = [['Time', `${iso(all.time[i])}`], ['Kind', made('span', `word ${KINDS[all.kind[i]]}`, WORDS[all.kind[i]])], ['Error', textOf(i, 'error')], ['Principal', textOf(i, 'principal')], ['Account', textOf(i, 'account')], ['Cloud', textOf(i, 'cloud')], ['Region', textOf(i, 'region')], ['Service', textOf(i, 'source')], ['Address', textOf(i, 'address')], ['Agent', textOf(i, 'agent')], ['Event id', all.ids[i]]];
  element('facts').replaceChildren(...facts.filter(([, text]) => text).flatMap(([word, text]) => [made('dt', '', word), made('dd', '', text)]));
  const record = recordOf(i);
  say('record', record === null ? 'Not in this page: it would have been too large. Look the event up by its id.' : indented(record));
  if (record === null) askForRecord(i);
}

// Records are read when the first is wanted: they are most of the page.
function recordOf(i) {
  if (!all.records) all.records = JSON.parse(element('records').textContent || 'null') || [];
  const text = all.records[i];
  return typeof text === 'string' ? text : null;
}

function level(one) { return made('span', `level ${LEVELS.includes(one.level) ? one.level : ''}`, one.level); }
const LEVELS = ['informational', 'low', 'medium', 'high', 'critical'];

function fillFindings() {
  element('findings-box').hidden = !all.data.detected;
  const listed = all.findings.map((one) => {
    const button = made('button', '', 'Show');
    button.type = 'button';
    button.setAttribute('aria-label', `Show ${one.title}`);
    button.disabled = !one.events.length;
    button.addEventListener('click', () => {
      const span = Math.max(one.last - one.first, MINUTE);
      zoomTo(one.first - span / 4, one.last + span / 4);
      pick(one.events[0]);
      element('field').focus();
    });
    const when = one.first === one.last ? moment(one.first) : `${moment(one.first)} to ${moment(one.last)}`;
    const about = [one.principal, one.account, `${number(one.count)} event${one.count === 1 ? '' : 's'}`, when, ...one.attack].filter(Boolean).join(' · ');
    const credit = [one.rule, one.author && `by ${one.author}`, one.license, one.link].filter(Boolean).join(' · ');
    const item = made('li', '', made('h3', '', level(one), one.title), made('p', '', about), button);
    if (one.note) item.append(made('p', 'quiet', one.note));
    if (credit) item.append(made('p', 'quiet', credit));
    return item;
  });
  element('findings').replaceChildren(...(listed.length ? listed : [made('li', '', made('p', 'quiet', 'No rule found anything here.'))]));
}

const page = { at: 0, rows: 50 };
function fillTable(everything = 0) {
  if (!element('table-box').open && !everything) return;
  const many = view.last - view.first, rows = everything || page.rows, from = everything ? 0 : Math.min(page.at, Math.max(many - 1, 0)), to = Math.min(from + rows, many);
  const made_ = [];
  for (let at = view.first + from; at < view.first + to; at++) made_.push(tableRow(view.matches[at]));
  element('rows').replaceChildren(...made_);
  say('caption', many ? `Events ${number(from + 1)} to ${number(to)} of ${number(many)} in view, oldest first.` : 'No event in view.');
  element('page-back').disabled = from <= 0;
  element('page-on').disabled = to >= many;
}

function tableRow(i) {
  const button = made('button', '', nameOf(i));
  button.type = 'button';
  button.addEventListener('click', () => { pick(i); element('event-title').focus(); });
  const cells = ['principal', 'account', 'region', 'address', 'error'].map((column) => made('td', '', textOf(i, column)));
  const row = made('tr', '', made('td', '', moment(all.time[i])), made('td', '', made('span', `word ${KINDS[all.kind[i]]}`, WORDS[all.kind[i]]), all.found[i] ? ' ◆' : ''), made('td', '', button), ...cells);
  if (i === view.picked) row.setAttribute('aria-current', 'true');
  return row;
}

function setTheme(name) {
  document.documentElement.dataset.theme = name;
  const dark = name === 'dark';
  say('theme', dark ? 'Light' : 'Dark');
  element('theme').setAttribute('aria-pressed', String(dark));
  redraw();
}
