// The plots of one run, or of a few side by side: latency by percentile, distributions, what happened over the simulated
// time, load across nodes.

// A percentile stands at the logarithm of what is above it: 90, 99 and 99.9 are equally far apart.
const tail = p => -Math.log10(1 - p / 100);
const percentiles = [0, 50, 90, 99, 99.9, 99.99, 99.999];
const percentileAxis = {label: 'percentile', format: t => 'p' + +(100 * (1 - 10 ** -t)).toPrecision(6), ticks: percentiles.map(tail)};

// curve is a distribution by percentile, as far as there are values above.
function curve(name, c, d) {
  const points = (d.curve || []).filter(c => c.p < 100 && (1 - c.p / 100) * d.n >= 1);
  return {name, c, at: points.map(p => tail(p.p)), v: points.map(p => p.v)};
}

function curves(title, runs, kinds, field, y) {
  const lines = runs.flatMap((r, i) => kinds.map((k, j) => {
    const f = figuresOf(r, k);
    return f && f[field] && f[field].curve ? curve(runs.length > 1 ? (kinds.length > 1 ? k + ' ' : '') + r.name : k, runs.length > 1 ? i + j * colours : j, f[field]) : null;
  })).filter(Boolean);
  return lines.length ? plot({title, x: percentileAxis, y, lines}) : null;
}

// histogram of one distribution: each step is as high as the share of the values in its bin.
function histogram(title, d, unit, format, share = 'operations') {
  if (!d || !d.bins || !d.bins.length || !d.n) return null;
  const single = d.bins.every(b => b.to - b.from === 1), shift = single ? 0.5 : 0, last = d.bins[d.bins.length - 1];
  const about = 'mean ' + format(d.mean) + [50, 99].map(p => quantileOf(d, p)).filter(q => q && !q.few).map(q => ', p' + q.p + ' ' + tick(q.v)).join('') + ', most ' + tick(d.max);
  const name = v => { const b = d.bins.find(b => b.from - shift === v) || last; return single ? String(b.from) : format(b.from) + '–' + format(b.to); };
  return plot({title, about, kind: 'bins', xname: name, x: {label: unit, format: v => single ? tick(Math.round(v + 0.01)) : tick(v), steps: single ? ones : undefined}, y: {label: 'share of ' + share, format: percent},
    lines: [{name: share, at: [...d.bins.map(b => b.from - shift), last.to - shift], v: [...d.bins.map(b => b.n / d.n), last.n / d.n]}]});
}

// Simulated time on x, in seconds.
const steps = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 14400, 21600, 43200, 86400, 172800, 604800];
const timeAxis = runs => ({label: runs.some(r => r.target) ? 'time' : 'simulated time', format: span, steps});

// series plots fields of the samples: [[name, sample => value]…]. Several fields of several runs get a plot each.
function series(title, runs, y, ...fields) {
  if (runs.length > 1 && fields.length > 1) return fields.map(f => series(title + ': ' + f[0], runs, y, f));
  const lines = runs.flatMap(r => fields.map(([name, get]) => {
    const points = r.samples.map(s => [s.at / 1e9, get(s)]).filter(([, v]) => v !== null && v !== undefined);
    return {name: runs.length > 1 ? r.name : name, at: points.map(p => p[0]), v: points.map(p => p[1])};
  })).filter(l => l.at.length);
  if (!lines.length || lines.every(l => l.v.every(v => v === 0))) return null;
  return plot({title, x: timeAxis(runs), y, lines});
}

// since of a kind in a sample.
const since = (kind, get) => s => { const o = (s.since || []).find(x => x.kind === kind); return o && o.ended ? get(o) : null; };

function overTime(runs) {
  runs = runs.filter(r => r.samples.length > 1);
  if (!runs.length) return null;
  const kinds = [...new Set(runs.flatMap(r => r.samples.flatMap(s => (s.since || []).map(x => x.kind))))];
  const share = label => ({label, format: percent, share: true});
  const list = [
    series('Nodes that are there', runs, {label: 'nodes', format: whole, tick}, ['nodes', s => s.up]),
    series('Peers in a table', runs, {label: 'peers, mean', format: number}, ['peers', s => s.entries]),
    series('Health of the tables', runs, share('share'), ['entries that are dead', s => s.dead], ['closest peers missing', s => s.missing]),
    series('Records alive', runs, {label: 'record keys', format: whole, tick}, ['alive', s => s.expected ? s.records : null], ['expected', s => s.expected || null]),
    series('Keys with a provider', runs, {label: 'provider keys', format: whole, tick}, ['provider keys', s => s.providers]),
    series('Running queries', runs, {label: 'queries', format: whole, tick}, ['queries', s => s.queries]),
    kinds.length ? series('Latency of what ended since the last sample, median', runs, {label: 'p50', format: millis}, ...kinds.map(k => [k, since(k, o => o.p50_ms)])) : null,
    kinds.length ? series('The same, 90th percentile', runs, {label: 'p90', format: millis}, ...kinds.map(k => [k, since(k, o => o.p90_ms)])) : null,
    kinds.length ? series('Success over time', runs, share('operations'), ...kinds.map(k => [k, since(k, o => o.ok / o.ended)])) : null,
    series('Recall over time', runs, {label: 'recall', format: recall, share: true}, ...kinds.map(k => [k, since(k, o => o.recall || null)])),
  ].flat().filter(Boolean);
  const each = Math.max(...runs.map(r => r.each));
  return list.length ? [h('h2', {}, runs.some(r => r.target) ? 'Over time' : 'Over simulated time'), each > 1 ? h('p.dim', {}, 'One of ' + each + ' samples is drawn.') : null, panels(list)] : null;
}

// runView shows some runs; the distributions are those of a single one.
function runView(e, runs) {
  const one = runs.length === 1 ? runs[0] : null, o = one && one.outcome;
  const spread = o ? o.figures.map(f => {
    const list = [histogram('Hops', f.hops, 'hops', number), histogram('Requests', f.requests, 'RPCs', number), histogram('Dead peers met', f.failed, 'failed requests', number)].filter(Boolean);
    return list.length ? [h('h2', {}, 'What a ' + f.kind + ' takes'), h('div.panels.three', {}, list)] : null;
  }) : [];
  const latency = [
    curves('Latency by percentile', runs, e.kinds, 'took_ms', {label: 'latency', format: millis}),
    curves('Until the first provider or record', runs, e.kinds, 'first_ms', {label: 'latency', format: millis}),
  ].filter(Boolean);
  const load = o && o.load ? histogram('Requests answered by a node', o.load, 'requests', number, 'nodes') : null;
  return [
    latency.length ? [h('h2', {}, 'Latency'), panels(latency)] : null,
    spread,
    overTime(runs),
    load ? [h('h2', {}, 'Load across nodes'), panels(load), o.busiest ? h('p.dim', {}, 'The busiest hundredth of the nodes answered ' + percent(o.busiest) + ' of all requests.') : null] : null,
    o ? o.figures.map(missed) : null,
  ].flat(Infinity).filter(Boolean);
}

// missed lists the operations of a kind that did not find what there was.
function missed(f) {
  if (!f.missed) return null;
  const list = f.misses || [];
  return [h('h2', {}, grouped(f.missed) + ' of ' + grouped(f.count) + ' ' + f.kind + 's missed something'),
    list.length < f.missed ? h('p.dim', {}, 'The first ' + list.length + ' are listed.') : null,
    h('div.scroll.tall', {tabindex: '0'}, h('table.grid', {}, h('thead', {}, h('tr', {}, ['at', 'node', 'key', 'found', ''].map((t, i) => h(i < 4 ? 'th.n' : 'th', {scope: 'col'}, t)))),
      h('tbody', {}, list.map(m => h('tr', {}, h('td.n', {}, span(m.at / 1e9)), h('td.n', {}, String(m.node)), h('td.n', {}, String(m.key)),
        h('td.n', {}, m.sought ? (m.true || 0) + ' of ' + m.sought : String(m.found)), h('td', {}, m.why || ''))))))];
}
