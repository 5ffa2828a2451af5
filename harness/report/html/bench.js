// The plots of loads on sockets: targets beside each other, latency by percentile, what happened in the seconds of a turn, and
// round by round. A target has the same colour in all of them.

const spreadOf = s => s && s.n ? {v: s.median, low: s.low, high: s.high} : {};
// percentileOf is that of all requests, with the least and the most of the turns; of one turn alone its 95 % interval.
const percentileOf = (name, p) => b => {
  const q = quantileOf(b[name], p), turns = b.turns.map(u => u[name][p === 50 ? 0 : 1]), all = !turns.includes(null);
  const [low, high] = turns.length < 2 ? [q && q.low, q && q.high] : all ? [Math.min(...turns), Math.max(...turns)] : [];
  return !q ? {} : q.few ? {note: 'too few'} : {v: q.v, low, high, note: q.at_least ? '≥ ' + latency(q.v) : undefined};
};
const rateAxis = {label: 'requests/s', format: whole, tick};
const loadMeasures = [
  {title: 'Requests answered', y: rateAxis, get: b => spreadOf(b.rates)},
  {title: 'Server CPU for a request', y: {label: 'CPU', format: micros}, get: b => spreadOf(b.cpu)},
  {title: 'Highest rate at which all needs held', y: rateAxis, get: b => b.max === undefined ? {} : {v: b.max, note: b.generator_ended ? '≥ ' + whole(b.max) : undefined}},
  {title: 'Latency from due, median', y: {label: 'p50', format: latency}, get: percentileOf('due', 50)},
  {title: 'Latency from due, 99th percentile', y: {label: 'p99', format: latency}, get: percentileOf('due', 99)},
  {title: 'Service, median', y: {label: 'p50', format: latency}, get: percentileOf('service', 50)},
  {title: 'Service, 99th percentile', y: {label: 'p99', format: latency}, get: percentileOf('service', 99)},
];

// besides makes of a trial what sweepView takes: the target is one more word of the sweep.
const besides = t => ({plan: t.plan, plain: true, axes: [...t.axes, 'target'], kinds: ['requests'],
  runs: t.runs.map(b => ({name: b.target, point: [...b.point, b.target], outcome: {figures: [{...b, kind: 'requests'}]}}))});

const whiskersMean = 'Thin lines: of a rate and of CPU the 95 % interval of the median of turns; of a latency, which is of all requests, the least and the most of the turns, where each has samples enough to tell it.';

function loadView(t) {
  if (!t.runs.length) return [];
  const groups = new Map(); // of the same point
  for (const b of t.runs) {
    const name = t.axes.map((a, i) => a + '=' + b.point[i]).join(' ');
    groups.set(name, [...(groups.get(name) || []), b]);
  }
  const names = [...groups.keys()], body = h('div');
  const draw = n => body.replaceChildren(...pointView(t, groups.get(names[n])).flat(Infinity).filter(Boolean));
  const picker = names.length > 1 ? [h('h2', {}, 'Point by point'), h('div.controls', {}, choose('point', names, 0, draw))] : null;
  draw(0);
  return [names.length > 1 ? [sweepView(besides(t), loadMeasures, 'Side by side'), h('p.dim', {}, whiskersMean)] : bars(t), picker, body];
}

// bars are the targets of a load without a sweep beside each other.
function bars(t) {
  const list = loadMeasures.map(m => {
    const lines = t.runs.map((b, i) => ({name: b.target, c: t.targets.indexOf(b.target), at: [i], ...Object.fromEntries(Object.entries(m.get(b)).map(([k, v]) => [k, [v ?? null]]))})).filter(l => l.v || l.note);
    return lines.some(l => l.v) ? plot({title: m.title, kind: 'bars', x: {label: 'target', names: t.runs.map(b => b.target)}, y: m.y, lines}) : null;
  }).filter(Boolean);
  return [h('h2', {}, 'Targets side by side'), h('p.dim', {}, whiskersMean), h('div.panels.three', {}, list)];
}

// pointView shows the targets at one point.
function pointView(t, runs) {
  const colourOfTarget = b => t.targets.indexOf(b.target);
  const curveOf = (b, name, label, shift) => b[name] && b[name].curve ? curve(b.target + label, colourOfTarget(b) + shift, {...b[name], curve: b[name].curve.filter(c => enough(c.p, b[name].n))}) : null;
  const lines = runs.flatMap(b => [curveOf(b, 'due', ' due', 0), curveOf(b, 'service', b.closed ? '' : ' service', b.closed ? 0 : colours)]).filter(Boolean);
  const how = runs.every(b => b.closed) ? 'from when a request was sent' : 'due: from when a request was due; service, dashed: from when it was sent';
  return [
    lines.length ? [h('h2', {}, 'Latency by percentile'), plot({title: 'Latency by percentile', about: how + '; as far as ten samples lie beyond', x: percentileAxis, y: {label: 'latency', format: latency, log: true}, lines})] : null,
    tried(runs, colourOfTarget),
    withinTurns(runs, colourOfTarget),
    byRound(runs, colourOfTarget),
  ];
}

// enough samples lie beyond a percentile for it to be told.
const enough = (p, n) => (1 - p / 100) * n >= 10;
// fromWhen is what latencies count from: of a closed load nothing is due but when it is sent.
const fromWhen = runs => runs.every(b => b.closed) ? 'Service' : runs.some(b => b.closed) ? 'Latency' : 'Latency from due';

// tried shows how latency grew with the rate, where the highest was sought.
function tried(runs, colourOfTarget) {
  const lines = runs.filter(b => b.tries).map(b => {
    const tries = b.tries.filter(t => t.p99 !== null).sort((x, y) => x.rate - y.rate);
    return {name: b.target, c: colourOfTarget(b), at: tries.map(t => t.rate), v: tries.map(t => t.p99), note: tries.map(t => t.held ? undefined : latency(t.p99) + ', missed')};
  }).filter(l => l.at.length);
  return lines.length ? [h('h2', {}, 'The rates that were tried'), plot({title: 'Latency from due by rate, 99th percentile', kind: 'points', x: {label: 'requests/s', format: tick}, y: {label: 'p99', format: latency, log: true}, lines})] : null;
}

const middleOf = list => { const s = [...list].sort((a, b) => a - b), n = s.length; return n % 2 ? s[(n - 1) / 2] : (s[n / 2 - 1] + s[n / 2]) / 2; };

// withinTurns is each second of a turn: of one round, or the median of all with the least and the most.
function withinTurns(runs, colourOfTarget) {
  runs = runs.filter(b => b.turns.some(u => u.seconds && u.seconds.length > 1));
  if (!runs.length) return null;
  const rounds = [...new Set(runs.flatMap(b => b.turns.map(u => u.round)))].sort((a, b) => a - b), body = h('div.panels');
  const fields = [
    ['Requests answered in each second', rateAxis, s => s.answered],
    [fromWhen(runs) + ' in each second, median', {label: 'p50', format: latency}, s => s.answered ? s.p50_ms : null],
    [fromWhen(runs) + ' in each second, 99th percentile', {label: 'p99', format: latency}, s => s.answered ? s.p99_ms : null],
    ['Requests that failed in each second', {label: 'requests', format: whole, tick}, s => s.errors || 0],
  ];
  const draw = n => body.replaceChildren(...fields.map(([title, y, get]) => {
    const lines = runs.map(b => {
      const turns = b.turns.filter(u => n === 0 || u.round === rounds[n - 1]), line = {name: b.target, c: colourOfTarget(b), at: [], v: [], low: [], high: []};
      const last = Math.max(-1, ...turns.flatMap(u => (u.seconds || []).map(s => s.at)));
      for (let at = 0; at <= last; at++) {
        const values = turns.flatMap(u => (u.seconds || []).filter(s => s.at === at).map(get)).filter(v => v !== null);
        if (!values.length) continue;
        line.at.push(at); line.v.push(middleOf(values));
        if (values.length > 1 && last < 30) { line.low.push(Math.min(...values)); line.high.push(Math.max(...values)); }
      }
      return line;
    }).filter(l => l.at.length);
    if (!lines.length || lines.every(l => l.v.every(v => v === 0)) && title.includes('failed')) return '';
    return plot({title, x: {label: 'second of a turn', format: v => String(v), steps: ones}, y, lines});
  }).filter(Boolean));
  draw(0);
  return [h('h2', {}, 'Within a turn'), h('div.controls', {}, choose('round', ['median of all, least and most', ...rounds.map(r => 'round ' + r)], 0, draw)), body];
}

// byRound shows whether the machine, or a target, changed while the rounds went on.
function byRound(runs, colourOfTarget) {
  runs = runs.filter(b => !b.tries); // of a search each is at a rate of its own
  const rounds = [...new Set(runs.flatMap(b => b.turns.map(u => u.round)))].sort((a, b) => a - b);
  if (rounds.length < 2) return null;
  const list = [
    ['Requests answered by round', rateAxis, u => u.rate],
    ['Server CPU for a request by round', {label: 'CPU', format: micros}, u => u.cpu],
    [fromWhen(runs) + ' by round, 99th percentile', {label: 'p99', format: latency}, (u, b) => u[b.closed ? 'service' : 'due'][1]],
    ['Processors that others kept busy by round', {label: 'share', format: v => (v * 100).toFixed(1) + ' %'}, u => u.foreign],
  ].map(([title, y, get]) => {
    const lines = runs.map(b => {
      const turns = b.turns.filter(u => get(u, b) !== null && get(u, b) !== undefined);
      return {name: b.target, c: colourOfTarget(b), at: turns.map(u => rounds.indexOf(u.round)), v: turns.map(u => get(u, b))};
    }).filter(l => l.at.length);
    return lines.length ? plot({title, kind: 'points', x: {label: 'round', names: rounds.map(String)}, y, lines}) : null;
  }).filter(Boolean);
  return list.length ? [h('h2', {}, 'Round by round'), panels(list)] : null;
}
