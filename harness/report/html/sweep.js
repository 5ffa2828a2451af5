// What changes along a sweep: one parameter on x, a line for each value of the next, a panel for each of the rest.

const figuresOf = (run, kind) => run.outcome ? run.outcome.figures.find(f => f.kind === kind) : undefined;
const quantileOf = (d, p) => d && d.quantiles.find(q => q.p === p);

// measures are the figures that a sweep compares: value, interval, and what stands in the place of a value.
const ofQuantile = p => f => {
  const q = quantileOf(f.took_ms, p);
  return !q ? {} : q.few ? {note: 'too few'} : {v: q.v, low: q.low, high: q.high, note: q.at_least ? '≥ ' + millis(q.v) : undefined};
};
const ofRatio = name => f => f[name] && f[name].of ? {v: f[name].n / f[name].of, low: f[name].low, high: f[name].high} : {};
const ofMean = name => f => f[name] && f[name].n ? {v: f[name].mean} : {};
// ofNode is what a node of a network on sockets took.
const ofNode = name => (f, run) => { const n = run.outcome.cost && run.outcome.cost.nodes; return n && n[name] ? {v: n[name]} : {}; };
const twos = Array.from({length: 40}, (_, i) => 2 ** i);
const measures = [
  {title: 'Latency, median', y: {label: 'p50', format: millis}, get: ofQuantile(50)},
  {title: 'Latency, 90th percentile', y: {label: 'p90', format: millis}, get: ofQuantile(90)},
  {title: 'Latency, 99th percentile', y: {label: 'p99', format: millis}, get: ofQuantile(99)},
  {title: 'Requests of an operation', y: {label: 'RPCs, mean', format: number}, get: ofMean('requests')},
  {title: 'Recall', y: {label: 'recall', format: recall, share: true}, get: ofRatio('recall')},
  {title: 'Success', y: {label: 'operations', format: percent, share: true}, get: ofRatio('success')},
  {title: 'Hops', y: {label: 'hops, mean', format: number}, get: ofMean('hops')},
  {title: 'Dead peers met', y: {label: 'failed requests, mean', format: number}, get: ofMean('failed')},
  {title: 'Traffic of an operation', y: {label: 'bytes, mean', format: bytes, steps: twos}, get: ofMean('bytes')},
  {title: 'Heap of a node', y: {label: 'bytes', format: bytes, steps: twos}, get: ofNode('heap_bytes')},
  {title: 'Goroutines of a node', y: {label: 'goroutines', format: number}, get: ofNode('goroutines')},
  {title: 'CPU of an operation', y: {label: 'CPU', format: latency}, get: ofNode('operation_cpu_ms')},
  {title: 'CPU of joining', y: {label: 'CPU', format: latency}, get: ofNode('bootstrap_cpu_ms')},
  {title: 'Connections opened for an operation', y: {label: 'dials', format: number}, get: ofNode('dials')},
];

// valuesOf an axis, in the order in which the runs have them.
const valuesOf = (e, axis) => [...new Set(e.runs.map(r => r.point[axis]))];

// linesOf are those of one panel: runs that agree with fixed, over x, by the values of axis by (or by kind, if by is -1).
function linesOf(e, x, by, fixed, kinds, get) {
  const xs = valuesOf(e, x);
  const here = e.runs.filter(r => fixed.every(([axis, value]) => r.point[axis] === value));
  const line = (name, c, kind, runs) => {
    const l = {name, c, at: [], v: [], low: [], high: [], note: []};
    for (const r of runs) {
      const f = figuresOf(r, kind), got = f ? get(f, r) : {};
      l.at.push(xs.indexOf(r.point[x]));
      for (const key of ['v', 'low', 'high', 'note']) l[key].push(got[key] ?? null);
    }
    return l;
  };
  const lines = by < 0 ? kinds.map(k => line(k, e.kinds.indexOf(k), k, here)) : valuesOf(e, by).map((v, i) => line(e.axes[by] === 'target' ? v : e.axes[by] + '=' + v, i, kinds[0], here.filter(r => r.point[by] === v)));
  return lines.filter(l => l.v.some(v => v !== null) || l.note.some(n => n));
}

// product of the values of axes: [[[axis, value]…]…].
const product = (e, axes) => axes.reduce((all, axis) => all.flatMap(one => valuesOf(e, axis).map(v => [...one, [axis, v]])), [[]]);

// sweepView compares runs by the figures of a list, which are those of operations where nothing else is said.
function sweepView(e, list = measures, title = 'Along the sweep') {
  const body = h('div'), axes = e.axes.map((_, i) => i).filter(i => valuesOf(e, i).length > 1);
  if (!axes.length) return null;
  const state = {x: axes[0], by: axes.length > 1 ? axes[1] : -1, kind: 0};
  const draw = () => {
    const kinds = state.by < 0 ? e.kinds : [e.kinds[state.kind]];
    const fixed = product(e, axes.filter(a => a !== state.x && a !== state.by));
    const x = {label: e.axes[state.x], names: valuesOf(e, state.x), loose: ['target', 'log', 'run'].includes(e.axes[state.x])};
    body.replaceChildren(...list.map(m => {
      const list = fixed.map(at => ({at, lines: linesOf(e, state.x, state.by, at, kinds, m.get)})).filter(p => p.lines.length);
      if (!list.length) return '';
      const range = reach(list.flatMap(p => union(p.lines).rows), m.y); // one for all panels: they are there to be compared
      const of = state.by < 0 || e.kinds.length < 2 && e.plain ? '' : ' (' + kinds[0] + ')';
      return h('section', {}, fixed.length > 1 ? h('h3', {}, m.title + of) : null, panels(list.map(p => plot({
        title: fixed.length > 1 ? p.at.map(([axis, v]) => e.axes[axis] + '=' + v).join(' ') : m.title + of,
        x, y: m.y, lines: p.lines, range, kind: 'points'}))));
    }).filter(Boolean));
    for (const s of body.querySelectorAll('section')) s.classList.toggle('alone', fixed.length === 1);
    body.classList.toggle('panels', fixed.length === 1);
  };
  const controls = h('div.controls');
  const control = () => {
    const others = axes.filter(a => a !== state.x);
    controls.replaceChildren(...[
      axes.length > 1 ? choose('along x', axes.map(a => e.axes[a]), axes.indexOf(state.x), i => {
        if (axes[i] === state.by) state.by = state.x;
        state.x = axes[i]; control(); draw();
      }) : '',
      axes.length > 1 ? choose('a line for each', others.map(a => e.axes[a]), others.indexOf(state.by), i => { state.by = others[i]; draw(); }) : '',
      state.by >= 0 && e.kinds.length > 1 ? choose('operation', e.kinds, state.kind, i => { state.kind = i; draw(); }) : '',
    ].filter(Boolean));
  };
  control();
  draw();
  return [h('h2', {}, axes.length === 1 && e.axes[axes[0]] === 'target' ? 'Targets side by side' : title), controls, body];
}
