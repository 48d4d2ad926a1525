// What the page was given, as arrays; which events pass the filters; which lanes they lie in. It draws nothing.
const KINDS = ['read', 'write', 'denied'];
const WORDS = ['Read', 'Write', 'Denied'];
const TEXT_COLUMNS = ['name', 'principal', 'account', 'region', 'source', 'address', 'agent', 'error', 'cloud'];
const MOST_LANES = 40;
const SECOND = 1000, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE, DAY = 24 * HOUR;

let all = null; // everything of one picture, as `unpacked` makes it
const chosen = { kinds: [true, true, true], words: [], found: false, lane: -1, by: 'principal' };
const view = { from: 0, to: 1, matches: new Int32Array(0), first: 0, last: 0, lanes: [], laneOf: new Int32Array(0), picked: -1 };

function unpacked(data) {
  const events = data.events, count = events.time.length, time = new Float64Array(count);
  for (let i = 0, at = 0; i < count; i++) time[i] = at += events.time[i];
  const made = { data, count, time, kind: Uint8Array.from(events.kind), texts: data.texts, ids: events.id, columns: {}, found: new Uint8Array(count), findings: data.findings, records: data.records || null };
  for (const name of TEXT_COLUMNS) made.columns[name] = Int32Array.from(events[name]);
  data.findings.forEach((one) => one.events.forEach((i) => { if (i < count) made.found[i] = 1; }));
  made.lowered = null;
  made.from = data.from;
  made.to = Math.max(data.to, data.from + SECOND);
  return made;
}

function textOf(i, column) { return all.texts[all.columns[column][i]]; }

function nameOf(i) { return textOf(i, 'name') || '(no name)'; }

// The filters' outcome: indices in order of time.
function filter() {
  const { count, kind, found, columns } = all, lane = chosen.lane, of = columns[chosen.by], words = chosen.words.map(matcher);
  const matches = new Int32Array(count);
  let many = 0;
  for (let i = 0; i < count; i++) {
    if (!chosen.kinds[kind[i]] || (chosen.found && !found[i]) || (lane >= 0 && of[i] !== lane)) continue;
    if (words.every((matches) => matches(i))) matches[many++] = i;
  }
  view.matches = matches.subarray(0, many);
}

function matcher(word) {
  all.lowered = all.lowered || all.texts.map((text) => text.toLowerCase());
  const hits = all.lowered.map((text) => text.includes(word)), columns = TEXT_COLUMNS.map((name) => all.columns[name]);
  return (i) => columns.some((column) => hits[column[i]]) || all.ids[i].toLowerCase().includes(word);
}

// Where in `matches` the first event at or after `moment` is.
function place(moment) {
  let low = 0, high = view.matches.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (all.time[view.matches[middle]] < moment) low = middle + 1; else high = middle;
  }
  return low;
}

function cutToWindow() {
  view.first = place(view.from);
  view.last = place(view.to);
}

// Lanes in a steady order: those with findings first, then with refusals, then the busiest. What is too much shares the last.
function arrangeLanes() {
  const of = all.columns[chosen.by], sums = new Map();
  const sum = (key) => { let one = sums.get(key); if (!one) sums.set(key, one = { key, found: 0, denied: 0, all: 0, shown: 0 }); return one; };
  for (let i = 0; i < all.count; i++) {
    const one = sum(of[i]);
    one.all++; one.found += all.found[i]; one.denied += all.kind[i] === 2;
  }
  for (const i of view.matches) sums.get(of[i]).shown++;
  const order = [...sums.values()].filter((one) => one.shown).sort((a, b) => (b.found > 0) - (a.found > 0) || b.denied - a.denied || b.all - a.all || a.key - b.key);
  const own = order.length > MOST_LANES ? order.slice(0, MOST_LANES - 1) : order, rest = order.slice(own.length);
  view.lanes = own.map((one) => ({ key: one.key, name: all.texts[one.key] || '(none)', many: one.shown }));
  if (rest.length) view.lanes.push({ key: -2, name: `${number(rest.length)} others`, many: rest.reduce((many, one) => many + one.shown, 0) });
  const rows = new Map(own.map((one, row) => [one.key, row]));
  view.laneOf = Int32Array.from(of, (key) => rows.has(key) ? rows.get(key) : own.length);
}

// Counts of what is in view by kind: {step, from, bins: [[read, write, denied], ...]}.
function counted(most) {
  const step = STEPS.find((one) => (view.to - view.from) / one <= most) || STEPS[STEPS.length - 1];
  const from = Math.floor(view.from / step) * step, many = Math.min(Math.ceil((view.to - from) / step), 2000);
  const bins = Array.from({ length: many }, () => [0, 0, 0]);
  for (let at = place(from); at < view.matches.length; at++) {
    const i = view.matches[at], bin = Math.floor((all.time[i] - from) / step);
    if (bin >= many) break;
    bins[bin][all.kind[i]]++;
  }
  return { step, from, bins };
}

const STEPS = [SECOND, 2 * SECOND, 5 * SECOND, 10 * SECOND, 30 * SECOND, MINUTE, 2 * MINUTE, 5 * MINUTE, 10 * MINUTE, 30 * MINUTE, HOUR, 2 * HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR, DAY, 2 * DAY, 7 * DAY, 14 * DAY, 28 * DAY, 91 * DAY, 182 * DAY, 364 * DAY, 3640 * DAY];

function number(value) { return value.toLocaleString('en-US'); }

function iso(moment) {
  const date = new Date(moment);
  return Number.isNaN(date.getTime()) ? '' : date.toISOString();
}

function moment(at) { return iso(at).slice(0, 19).replace('T', ' '); }

// A text of JSON with line breaks, its numbers and order as they stand: parsing would round numbers.
function indented(json) {
  let out = '', depth = 0, inText = false;
  const line = () => '\n' + '  '.repeat(Math.min(depth, 40));
  for (let at = 0; at < json.length; at++) {
    const sign = json[at];
    if (inText) {
      out += sign;
      if (sign === '\\') out += json[++at] || '';
      else if (sign === '"') inText = false;
    } else if (sign === '"') { inText = true; out += sign; }
    else if (sign === '{' || sign === '[') {
      const end = json.slice(at + 1).match(/^\s*([}\]])/);
      if (end) { out += sign + end[1]; at += end[0].length; } else { depth++; out += sign + line(); }
    } else if (sign === '}' || sign === ']') { depth = Math.max(depth - 1, 0); out += line() + sign; }
    else if (sign === ',') out += sign + line();
    else if (sign === ':') out += ': ';
    else if (!/\s/.test(sign)) out += sign;
  }
  return out;
}
