// The three canvases. It reads `all` and `view`, and changes neither.
const HEAD = 22, COLOURS = {};
const laneHigh = () => printing ? 20 : 32; // as the names beside it in page.css; 40 of them fit on a page
const canvases = {};
let queued = false, printing = 0, brush = null;

function redraw() {
  if (queued) return;
  queued = true;
  requestAnimationFrame(() => { queued = false; drawAll(); });
}

function drawAll() {
  if (!all) return;
  const style = getComputedStyle(document.documentElement);
  for (const name of ['read', 'write', 'denied', 'found', 'ghost', 'pick', 'line', 'faint', 'quiet', 'card', 'ink', 'shade', 'focus']) COLOURS[name] = style.getPropertyValue(`--${name}`).trim();
  drawOverview();
  drawHistogram();
  drawMarks();
  if (!performance.getEntriesByName('timeline drawn').length) performance.mark('timeline drawn');
}

// A context in CSS pixels, cleared.
function pen(id, height) {
  const canvas = canvases[id] = canvases[id] || document.getElementById(id);
  const width = printing ? printing : Math.max(canvas.clientWidth, 40), scale = printing ? 2 : Math.min(window.devicePixelRatio || 1, 3);
  const wide = Math.round(width * scale), high = Math.round(height * scale);
  if (canvas.width !== wide) canvas.width = wide;
  if (canvas.height !== high) canvas.height = high;
  canvas.style.height = `${height}px`;
  canvas.style.width = printing ? `${width}px` : '';
  canvas.style.flex = printing ? 'none' : '';
  const context = canvas.getContext('2d');
  context.setTransform(scale, 0, 0, scale, 0, 0);
  context.clearRect(0, 0, width, height);
  context.font = `11px ${getComputedStyle(document.body).fontFamily}`;
  context.textBaseline = 'middle';
  return { context, width, height };
}

function across(at, width) { return (at - view.from) / (view.to - view.from) * width; }

function ticks(width) {
  const step = STEPS.find((one) => (view.to - view.from) / one <= width / 88) || STEPS[STEPS.length - 1], found = [];
  for (let at = Math.ceil(view.from / step) * step; at < view.to && found.length < 60; at += step) found.push(at);
  return { step, found };
}

function tickWord(at, step, before) {
  const text = iso(at), day = text.slice(0, 10);
  if (step >= DAY) return day;
  const clock = step >= MINUTE ? text.slice(11, 16) : text.slice(11, 19);
  return before === day ? clock : `${day.slice(5)} ${clock}`;
}

function drawAxis(context, width, top, bottom, worded) {
  const { step, found } = ticks(width);
  let before = '', end = -9;
  context.fillStyle = COLOURS.quiet;
  context.textAlign = 'left';
  for (const at of found) {
    const x = Math.round(across(at, width)) + .5;
    context.strokeStyle = COLOURS.faint;
    context.beginPath(); context.moveTo(x, top); context.lineTo(x, bottom); context.stroke();
    if (!worded) continue;
    const word = tickWord(at, step, before), wide = context.measureText(word).width;
    before = iso(at).slice(0, 10);
    const left = Math.min(Math.max(x - wide / 2, 0), width - wide);
    if (left > end + 8) { context.fillText(word, left, worded); end = left + wide; }
  }
}

function drawOverview() {
  const { context, width, height } = pen('overview', 26), span = all.to - all.from, many = Math.max(Math.floor(width / 3), 1), bins = new Float64Array(many), hot = new Uint8Array(many);
  for (let i = 0; i < all.count; i++) {
    const bin = Math.min(Math.floor((all.time[i] - all.from) / span * many), many - 1);
    if (bin >= 0) { bins[bin]++; hot[bin] |= all.found[i]; }
  }
  let most = 1;
  for (const one of bins) most = Math.max(most, one);
  context.fillStyle = COLOURS.faint;
  context.fillRect(0, 0, width, height);
  for (let bin = 0; bin < many; bin++) {
    if (!bins[bin]) continue;
    const tall = Math.max(Math.sqrt(bins[bin] / most) * (height - 5), 2);
    context.fillStyle = hot[bin] ? COLOURS.found : COLOURS.quiet;
    context.fillRect(bin / many * width, height - tall, Math.max(width / many - 1, 1), tall);
  }
  const left = (view.from - all.from) / span * width, right = (view.to - all.from) / span * width;
  context.fillStyle = COLOURS.shade;
  context.fillRect(left, 0, right - left, height);
  context.strokeStyle = COLOURS.focus;
  context.strokeRect(left + .75, .75, Math.max(right - left - 1.5, 1), height - 1.5);
}

function drawHistogram() {
  const { context, width, height } = pen('histogram', 132), base = height - 20, top = 8;
  const { step, from, bins } = counted(Math.max(Math.floor(width / 7), 10)), ghosts = ghostBins(step, from, bins.length);
  let most = 1;
  bins.forEach((bin, at) => { most = Math.max(most, bin[0] + bin[1] + bin[2], ghosts ? ghosts[at] : 0); });
  drawAxis(context, width, top, base, height - 8);
  const wide = step / (view.to - view.from) * width, tall = (base - top) / most;
  bins.forEach((bin, at) => {
    const x = across(from + at * step, width), across_ = Math.max(wide - (wide > 4 ? 1.5 : 0), 1);
    if (ghosts && ghosts[at]) { context.fillStyle = COLOURS.ghost; context.fillRect(x, base - ghosts[at] * tall, across_, ghosts[at] * tall); }
    let y = base;
    for (const kind of [0, 1, 2]) {
      if (!bin[kind]) continue;
      const high = Math.max(bin[kind] * tall, 1.5);
      context.fillStyle = COLOURS[KINDS[kind]];
      context.fillRect(x, y - high, across_, high);
      y -= high;
    }
  });
  context.strokeStyle = COLOURS.line;
  context.beginPath(); context.moveTo(0, base + .5); context.lineTo(width, base + .5); context.stroke();
  drawPicked(context, width, top, base);
  if (brush) {
    context.fillStyle = COLOURS.shade;
    context.fillRect(Math.min(brush.from, brush.to), 0, Math.abs(brush.to - brush.from), base);
    context.strokeStyle = COLOURS.focus;
    context.strokeRect(Math.min(brush.from, brush.to) + .5, .5, Math.abs(brush.to - brush.from), base);
  }
  say('most', `${number(most)} in ${stepWords(step)}`);
}

// What the page was told of events it does not hold, in the histogram's bins; only where its own bins are not finer.
function ghostBins(step, from, many) {
  const given = all.data.bins;
  if (!given || chosen.words.length || chosen.found || chosen.lane >= 0) return null;
  const bins = new Float64Array(many);
  given.counts.forEach((counts, at) => {
    const sum = counts.reduce((total, count, kind) => total + (chosen.kinds[kind] ? count : 0), 0), start = given.from + at * given.width;
    const first = Math.floor((start - from) / step), last = Math.ceil((start + given.width - from) / step);
    for (let bin = Math.max(first, 0); bin < Math.min(Math.max(last, first + 1), many); bin++) bins[bin] += sum / Math.max(last - first, 1);
  });
  return bins;
}

function drawMarks() {
  const { context, width, height } = pen('marks', HEAD + view.lanes.length * laneHigh() + 4);
  drawAxis(context, width, HEAD, height, 10);
  context.strokeStyle = COLOURS.line;
  view.lanes.forEach((_, row) => {
    const y = HEAD + row * laneHigh() + .5;
    context.beginPath(); context.moveTo(0, y); context.lineTo(width, y); context.stroke();
  });
  const groups = [[], [], []], found = [], small = laneHigh() / 32;
  for (let at = view.first; at < view.last; at++) {
    const i = view.matches[at];
    groups[all.kind[i]].push(i);
    if (all.found[i]) found.push(i);
  }
  const bar = (i, high) => context.fillRect(across(all.time[i], width) - 1.5, laneFoot(i) - high * small, 3, high * small);
  context.globalAlpha = groups[0].length > 400 ? .55 : .9;
  context.fillStyle = COLOURS.read; groups[0].forEach((i) => bar(i, 7));
  context.globalAlpha = 1;
  context.fillStyle = COLOURS.write; groups[1].forEach((i) => bar(i, 14));
  context.strokeStyle = COLOURS.denied; context.lineWidth = 1.8;
  context.beginPath();
  groups[2].forEach((i) => {
    const x = across(all.time[i], width), y = laneFoot(i) - 12 * small;
    context.moveTo(x - 4 * small, y - 4 * small); context.lineTo(x + 4 * small, y + 4 * small); context.moveTo(x + 4 * small, y - 4 * small); context.lineTo(x - 4 * small, y + 4 * small);
  });
  context.stroke();
  context.lineWidth = 1;
  found.forEach((i) => diamond(context, across(all.time[i], width), laneFoot(i) - 21 * small, 5.5 * small));
  drawPicked(context, width, HEAD, height);
  if (view.picked >= 0) {
    context.strokeStyle = COLOURS.pick; context.lineWidth = 2;
    context.beginPath(); context.arc(across(all.time[view.picked], width), laneFoot(view.picked) - 10 * small, 9 * small, 0, 7); context.stroke();
    context.lineWidth = 1;
  }
}

function laneFoot(i) { return HEAD + (view.laneOf[i] + 1) * laneHigh() - 3; }

function diamond(context, x, y, size) {
  context.beginPath();
  context.moveTo(x, y - size); context.lineTo(x + size, y); context.lineTo(x, y + size); context.lineTo(x - size, y);
  context.closePath();
  context.fillStyle = COLOURS.found; context.fill();
  context.strokeStyle = COLOURS.card; context.stroke();
}

function drawPicked(context, width, top, bottom) {
  if (view.picked < 0) return;
  const x = Math.round(across(all.time[view.picked], width)) + .5;
  context.strokeStyle = COLOURS.pick;
  context.setLineDash([3, 3]);
  context.beginPath(); context.moveTo(x, top); context.lineTo(x, bottom); context.stroke();
  context.setLineDash([]);
}

// The event whose mark is nearest to a point of the lanes; -1 where none is near.
function nearest(x, y, width) {
  const lane = Math.floor((y - HEAD) / laneHigh()), reach = 9 / width * (view.to - view.from), at = view.from + x / width * (view.to - view.from);
  let best = -1, least = Infinity;
  for (let spot = place(at - reach); spot < view.matches.length; spot++) {
    const i = view.matches[spot];
    if (all.time[i] > at + reach) break;
    if (view.laneOf[i] !== lane) continue;
    const far = Math.abs(all.time[i] - at) - all.kind[i] * 1e-3 - all.found[i] * 1e-2;
    if (far < least) { least = far; best = i; }
  }
  return best;
}

function stepWords(step) {
  for (const [unit, name] of [[DAY, 'day'], [HOUR, 'hour'], [MINUTE, 'minute'], [SECOND, 'second']]) {
    if (step >= unit) return step === unit ? `a ${name}`.replace('a hour', 'an hour') : `${step / unit} ${name}s`;
  }
  return '';
}
