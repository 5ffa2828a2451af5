// A plot with the table of its numbers below it. uPlot draws; colours come from the style, so that they follow the theme.

// Every plot that is drawn, to be drawn again in another theme.
const drawn = new Set();
const colour = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const ones = [1, 2, 5].flatMap(n => [n, 10 * n, 100 * n, 1e3 * n, 1e4 * n]).sort((a, b) => a - b); // steps of an axis of counts
// Lines of a sweep are dashed each in its way, as they often lie on one another; others only where colours are used again.
const colours = 8, dashes = [[], [7, 4], [2, 3], [10, 3, 2, 3]];

const colourOf = i => '--c' + i % colours;

// union brings lines, each with points of its own, onto one x: [[x…], [v…]…], null where a line has no such point.
function union(lines) {
  const xs = [...new Set(lines.flatMap(l => l.at))].sort((a, b) => a - b), place = new Map(xs.map((x, i) => [x, i]));
  const spread = (l, values) => {
    const row = new Array(xs.length).fill(null);
    l.at.forEach((x, i) => { if (values && values[i] !== undefined) row[place.get(x)] = values[i]; });
    return row;
  };
  return {xs, rows: lines.map((l, i) => ({name: l.name, c: colourOf(l.c ?? i), i: l.c ?? i, v: spread(l, l.v), low: spread(l, l.low), high: spread(l, l.high), note: spread(l, l.note)}))};
}

// reach is the range of y that lines need, with their intervals. Shares near 1 are not drawn from 0; an axis of logarithms
// goes from a power of ten to another.
function reach(rows, y) {
  const all = rows.flatMap(r => [...r.v, ...r.low, ...r.high]).filter(v => v !== null);
  let low = Math.min(...all), high = Math.max(...all);
  if (!all.length) return [0, 1];
  if (y.log) return [10 ** Math.floor(Math.log10(Math.min(...all.filter(v => v > 0)))), 10 ** Math.ceil(Math.log10(high) + 1e-9)];
  if (y.share && low > 0.5) {
    const room = low === 1 ? 0.02 : Math.max((1 - low) * 1.15, 1e-5);
    return [1 - room, 1 + room * 0.06];
  }
  high = high > 0 ? high * 1.06 : 1;
  low = Math.min(0, low);
  return y.share ? [low, Math.min(high, 1.03)] : [low, high];
}

// plot makes a figure. what: {title, about, x, y, lines, range, kind}
//   x: {label, format, names (of the whole numbers from 0 on), loose (these have no order: points are not joined), ticks, steps}
//   y: {label, format, tick (on the axis, if not by format), share, steps, log}
//   lines: [{name, at: [x…], v: [y…], low, high, note (in the place of a value), c (its colour)}]; low and high are whiskers
//   kind: 'bins' draws steps that hold to the next x; 'bars' a bar for each line, which has one value; 'points' marks each value; else a line
function plot(what) {
  const {x, y} = what, {xs, rows} = union(what.lines);
  const some = rows.some(r => r.v.some(v => v !== null));
  const box = h('div.plot', {role: 'img', 'aria-label': what.title + ': ' + y.label + ' by ' + x.label + '. The table below has the numbers.'});
  const fig = h('figure', {}, h('figcaption', {}, h('b', {}, what.title), what.about ? h('span.about', {}, what.about) : null),
    some ? box : h('p.dim', {}, 'There are too few samples to draw it.'), numbers(what, xs, rows));
  if (some) {
    let u = null, wide = 0;
    const draw = () => {
      wide = Math.floor(box.clientWidth);
      if (wide < 50) return;
      if (u) u.destroy();
      u = new uPlot(options(what, xs, rows, wide), [xs, ...rows.map(r => r.v)], box);
    };
    box.draw = draw;
    drawn.add(box);
    new ResizeObserver(() => { if (Math.floor(box.clientWidth) !== wide) draw(); }).observe(box);
  }
  return fig;
}
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
  for (const box of drawn) { if (box.isConnected) box.draw(); else drawn.delete(box); }
});

function options(what, xs, rows, wide) {
  const {x, y} = what, bins = what.kind === 'bins', bars = what.kind === 'bars', dash = r => dashes[(what.kind === 'points' ? r.i : Math.floor(r.i / colours)) % dashes.length], range = what.range || reach(rows, y);
  const ink = colour('--dim'), grid = {stroke: colour('--line'), width: 1}, font = '12px system-ui, sans-serif';
  const axis = {stroke: ink, grid, ticks: {...grid, size: 5}, gap: 3, font, labelFont: font, labelSize: 20, labelGap: 2};
  const labels = list => list.map(v => v === null ? '' : v === 0 ? '0' : (y.tick || y.format)(v).replace(/(\.\d*?)0+(?=\D|$)/, '$1').replace(/\.(?=\D|$)/, ''));
  const roomy = range => labels([range[0], range[1], range[0] + (range[1] - range[0]) / 3]).reduce((w, s) => Math.max(w, s.length), 0) * 6.5 + 16;
  return {
    width: wide, height: Math.round(Math.min(300, Math.max(200, wide * 0.5))), padding: [10, 30, 0, 0],
    scales: {
      x: {time: false, range: (u, min, max) => x.names ? [bars ? -0.6 : -0.35, x.names.length - (bars ? 0.4 : 0.65)] : min === max ? [min - 1, max + 1] : [min, max]},
      y: {range: () => range, ...(y.log ? {distr: 3} : {})},
    },
    axes: [
      {...axis, label: x.label, size: 28, space: x.names ? 20 : x.steps === ones ? 30 : 55, values: (u, splits) => splits.map(v => v === null ? '' : x.names ? x.names[v] ?? '' : x.format(v)),
        ...(x.names ? {splits: () => x.names.map((_, i) => i)} : x.ticks ? {splits: () => x.ticks.filter(t => t <= xs[xs.length - 1] && t >= xs[0])} : x.steps ? {incrs: x.steps} : {})},
      {...axis, label: y.label, size: roomy(range), space: 35, values: (u, splits) => labels(splits), ...(y.steps ? {incrs: y.steps} : {})},
    ],
    series: [
      {label: x.label, value: (u, v) => v === null || v === undefined ? '' : x.names ? x.names[v] : x.format(v)},
      ...rows.map(r => ({
        label: r.name, stroke: colour(r.c), width: 2, dash: dash(r), spanGaps: true,
        fill: bins && rows.length === 1 || bars ? colour(r.c) + '33' : undefined,
        paths: bins ? uPlot.paths.stepped({align: 1}) : bars ? uPlot.paths.bars({size: [0.6, 90]}) : what.kind === 'points' && x.loose ? () => null : undefined,
        points: {show: what.kind === 'points' || (!bins && !bars && xs.length < 3), size: 7, fill: colour(r.c)},
        value: (u, v, s, at) => at === null || at === undefined ? '' : (cell(r, at, y) + ' ' + interval(r, at, y)).trim(),
      })),
    ],
    cursor: {drag: {x: false, y: false}, y: false, points: {size: 8}, ...(bins ? {dataIdx: (u, s, near, v) => near > 0 && v < xs[near] ? near - 1 : near} : {})},
    legend: {show: !bars, live: true, markers: {dash: (u, i) => i > 0 && dash(rows[i - 1]).length ? 'dashed' : 'solid'}},
    hooks: {draw: [u => whiskers(u, rows, bars ? 0 : 4)]},
  };
}

// whiskers are the intervals, so many pixels aside of each other where several lines have one at the same x.
function whiskers(u, rows, aside) {
  const c = u.ctx, scale = devicePixelRatio;
  c.save();
  c.lineWidth = 1.5 * scale;
  rows.forEach((r, i) => {
    if (!u.series[i + 1].show) return;
    c.strokeStyle = colour(r.c);
    c.beginPath();
    r.low.forEach((low, k) => {
      if (low === null || r.high[k] === null || r.v[k] === null) return;
      const px = u.valToPos(u.data[0][k], 'x', true) + (i - (rows.length - 1) / 2) * aside * scale, a = u.valToPos(low, 'y', true), b = u.valToPos(r.high[k], 'y', true), w = 3.5 * scale;
      c.moveTo(px, a); c.lineTo(px, b);
      c.moveTo(px - w, a); c.lineTo(px + w, a);
      c.moveTo(px - w, b); c.lineTo(px + w, b);
    });
    c.stroke();
  });
  c.restore();
}

// cell is a value in words, interval what stands behind it.
const cell = (r, at, y) => r.note[at] || (r.v[at] === null ? '–' : y.format(r.v[at]));
function interval(r, at, y) {
  if (r.note[at] || r.v[at] === null || r.low[at] === null || r.high[at] === null) return '';
  const a = y.format(r.low[at]), b = y.format(r.high[at]), unit = a.slice(a.indexOf(' '));
  if (a === b) return '';
  return '(' + (a.includes(' ') && b.endsWith(unit) ? a.slice(0, -unit.length) : a) + '–' + b + ')';
}

// numbers is the table; a long one is folded.
function numbers(what, xs, rows) {
  const {x, y} = what;
  const value = (r, i) => [cell(r, i, y), interval(r, i, y) ? [' ', h('small', {}, interval(r, i, y))] : null];
  if (what.kind === 'bars') { // each has a value of its own, and a table of all lines would be empty but for these
    return h('div.scroll', {}, h('table.grid', {}, h('tbody', {}, rows.map((r, i) => h('tr', {}, h('th', {scope: 'row'}, r.name), h('td.n', {}, value(r, xs.indexOf(what.lines[i].at[0]))))))));
  }
  const name = v => what.xname ? what.xname(v) : x.names ? x.names[v] : x.format(v);
  const keep = xs.map((_, i) => i).filter(i => rows.some(r => r.v[i] !== null || r.note[i]) && !(what.kind === 'bins' && i === xs.length - 1));
  const head = h('table.grid', {}, h('thead', {}, h('tr', {}, h('th', {scope: 'col'}, x.label), rows.map(r => h('th.n', {scope: 'col'}, r.name)))));
  const fill = () => {
    if (head.tBodies.length) return;
    head.append(h('tbody', {}, keep.map(i => h('tr', {}, h('th', {scope: 'row'}, name(xs[i])), rows.map(r => h('td.n', {}, value(r, i)))))));
  };
  if (!keep.length) return null;
  if (keep.length <= 8 && what.kind !== 'bins') {
    fill();
    return h('div.scroll', {}, head);
  }
  const d = h('details', {}, h('summary', {}, 'The numbers'), h('div.scroll.tall', {tabindex: '0'}, head));
  d.addEventListener('toggle', fill);
  return d;
}

const panels = (...list) => h('div.panels', {}, list);
// choose is a labelled choice among texts; change is told the number.
function choose(label, names, chosen, change) {
  const s = h('select', {onchange: e => change(e.target.selectedIndex)}, names.map((n, i) => h('option', {selected: i === chosen}, n)));
  return h('label.choose', {}, label + ' ', s);
}
