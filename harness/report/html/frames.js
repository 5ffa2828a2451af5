// The exchange of a case: what is packed beside the page, unpacked and shown.
const unpacked = new Map();
async function unpack(n) {
  if (!unpacked.has(n)) {
    if (!window.DecompressionStream) throw new Error('this browser cannot unpack what is stored of a case (DecompressionStream)');
    const bytes = Uint8Array.from(atob($('x' + n).textContent), c => c.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip'));
    unpacked.set(n, JSON.parse(await new Response(stream).text()));
  }
  return unpacked.get(n);
}

const hexOf = s => s.replace(/../g, '$& ').trim();
const milli = us => (us / 1000).toFixed(us < 10000 ? 2 : 1) + ' ms';

// annotated is a frame as a table: offset, bytes, field, meaning. The bytes that a failure is about are marked.
function annotated(f, mark) {
  const kept = f.h.length / 2;
  const hot = (from, len) => !!mark && from < mark[1] && from + len > mark[0];
  const body = h('tbody');
  for (const [at, len, head, depth, path, text, bad] of f.r || []) {
    const nested = head < len && (f.r || []).some(r => r[0] > at && r[0] < at + len && r[3] > depth);
    const shown = nested ? head : Math.min(len, 48);
    const bytes = hexOf(f.h.slice(2 * at, 2 * Math.min(at + shown, kept)));
    const lines = bytes.match(/.{1,47}( |$)/g) || [''];
    body.append(h('tr' + (hot(at, nested ? head : len) ? '.hot' : ''), {},
      h('td', {}, String(at)),
      h('td.hex', {}, '  '.repeat(Math.min(depth, 3)) + lines.map(l => l.trim()).join('\n' + '  '.repeat(Math.min(depth, 3))) + (shown < len && !nested ? ' … ' + plural(len, 'byte') : '')),
      h('td', {}, path), h('td', {}, bad ? h('span.bad', {}, '! ' + bad + (text ? '; ' : '')) : null, text)));
  }
  if (!f.r || !f.r.length) {
    for (let i = 0; i < Math.min(kept, 1024); i += 16) {
      body.append(h('tr' + (hot(i, 16) ? '.hot' : ''), {}, h('td', {}, String(i)), h('td.hex', {}, hexOf(f.h.slice(2 * i, 2 * Math.min(i + 16, kept))))));
    }
  }
  const rest = [];
  if (f.left) rest.push(plural(f.left, 'more field') + ' are not shown');
  if (kept < f.n) rest.push('of ' + plural(f.n, 'byte') + ' the first ' + kept + ' are kept here; the log has up to ' + data.limits.log);
  return h('div.annotated', {}, h('table', {}, body), rest.length ? h('p.dim', {}, rest.join('; ') + '.') : null);
}

// what an event says in a line.
function told(e, f) {
  switch (e.k) {
    case 'frame': return [f.t || 'bytes', h('span.dim', {}, ' ' + plural(f.n, 'byte'))];
    case 'operation': return [h('b', {}, 'operation ' + (e.s || '')), ' ' + (e.e || '') + (e.x ? ': ' + e.x : '')];
    case 'stream': return [(e.s ? 'stream ' : '') + (e.e || ''), e.x ? ': ' + e.x : '', f ? h('span.dim', {}, ' after ' + plural(f.n, 'byte')) : ''];
  }
  return [e.k + ' ' + (e.e || ''), e.x ? ' ' + e.x : ''];
}

// talk is one exchange, in order of time.
function talk(x, frames, jump) {
  const out = h('div.talk');
  let attempt;
  x.events.forEach((e, i) => {
    if (x.left && i === data.limits.head) out.append(h('div.dim', {}, '… ' + plural(x.left, 'more event') + ', in the log …'));
    if ((e.a || 0) !== (attempt || 0)) out.append(h('div.dim', {}, 'round ' + ((e.a || 0) + 1)));
    attempt = e.a;
    const f = e.f === undefined ? null : frames[e.f];
    const there = e.d === 'sent' ? (e.p || 'harness') + ' → T' : e.d === 'received' ? 'T → ' + (e.p || 'harness') : e.p || '';
    const line = (e.l || '').split(':').pop();
    const row = [
      h('span.t', {}, milli(e.at)),
      h('span.way.mono' + (e.d === 'sent' ? '.sent' : ''), {title: e.d || null}, there),
      h('span.mono.dim', {title: 'stream'}, e.k === 'operation' ? '' : e.s || ''),
      h('span.what', {}, told(e, f), e.m ? h('b.bad', {}, ' ← not what was wanted') : null),
      line && /^\d+$/.test(line) ? h('a', {href: '#', title: e.l, onclick: ev => { ev.preventDefault(); ev.stopPropagation(); jump(+line); }}, 'line ' + line) : null,
    ];
    if (!f || !f.h) { out.append(h('div' + (e.m ? '.wrong' : ''), {}, row)); return; }
    const d = h('details' + (e.m ? '.wrong' : ''), {open: !!e.m}, h('summary', {}, row));
    const fill = () => {
      if (!d.open || d.children.length > 1) return;
      const box = annotated(f, e.m), hot = box.querySelector('.hot');
      d.append(box);
      if (hot) setTimeout(() => { box.scrollTop = hot.offsetTop - box.offsetTop - 60; });
    };
    d.addEventListener('toggle', fill);
    fill();
    out.append(d);
  });
  if (!x.events.length) out.append(h('div.dim', {}, 'Nothing went over a stream.'));
  return out;
}
