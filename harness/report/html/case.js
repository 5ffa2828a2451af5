// The views of one case and of one target.

// citations are the clauses of a case, each with what it demands and where it can be read.
function citations(list) {
  return h('ul.clauses', {}, (list || []).map(c => h('li', {},
    h('a', {href: address('clauses', {q: c.at})}, c.at), c.demand ? ': ' + c.demand : '',
    c.link ? [' ', h('a', {href: c.link, rel: 'noreferrer noopener', target: '_blank'}, 'text ↗')] : '')));
}

// binding is how a clause binds in some profiles: must in base and amino, should in defacto.
function binding(c, t, numbers) {
  const levels = new Map();
  for (const i of numbers) {
    const l = (c.verdicts[t][i].v === c.verdicts[t][numbers[0]].v ? '' : word(c.verdicts[t][i]) + ' ') + (c.verdicts[t][i].l || '?');
    levels.set(l, [...levels.get(l) || [], data.profiles[i]]);
  }
  return [...levels].map(([l, in_]) => l + ' in ' + in_.join(', ')).join('; ');
}

const others = (c, t, i) => data.targets.map((other, k) => k === t || !c.verdicts[k][i] ? null :
  [h('a', {href: caseLink(c, other.name)}, other.name), ' ', chip(c.verdicts[k][i]), ' ']).filter(Boolean);

// card is what went wrong for one target in those profiles (their numbers) in which it went wrong alike.
function card(c, t, numbers, link) {
  const v = c.verdicts[t][numbers[0]], f = v.f === undefined ? {} : data.failures[v.f];
  const row = (name, value, cls = '') => value ? [h('dt', {}, name), h('dd' + cls, {}, value)] : null;
  const rest = others(c, t, numbers[0]);
  return h('div.card.' + kind(v), {},
    h('p', {}, chip(v), ' ', link ? h('a', {href: caseLink(c, data.targets[t].name)}, c.id) : h('b', {}, data.targets[t].name), ' ',
      h('span.dim', {}, binding(c, t, numbers), f.line ? ' · ' + f.line : '')),
    link ? h('p.prose', {}, f.prose || c.prose) : null,
    h('dl', {},
      link ? row('clause', f.clause || (c.clauses || []).map(x => x.at + (x.demand ? ': ' + x.demand : '')).join('; ')) : null,
      row('want', f.want, '.mono'), row('got', f.got, '.mono'), row('', f.diff, '.diff'),
      row('bytes', f.bytes && [f.bytes, f.where ? h('span.dim', {}, '  (' + f.where + ')') : ''], '.mono'),
      f.want && v.v !== 'xpass' ? null : row('why', v.w),
      row('stderr', f.log && f.log.trim() && h('pre', {}, f.log.trim())),
      rest.length ? row('others', rest) : null,
      f.repeat ? row('repeat', [h('span.mono', {}, f.repeat), copy(f.repeat)]) : null));
}

// alike groups the profiles of a target in which the same went wrong: lists of their numbers, the chosen one first.
function alike(c, t) {
  const groups = new Map();
  const order = data.profiles.map((_, i) => i).sort((a, b) => (b === p()) - (a === p()));
  for (const i of order) {
    const v = c.verdicts[t][i];
    if (!wrong(v)) continue;
    const key = v.f + '\n' + v.w;
    groups.set(key, [...groups.get(key) || [], i]);
  }
  return [...groups.values()];
}

// caseView shows a case; focus is the target whose exchange is opened.
function caseView(n, focus) {
  const c = data.cases[n];
  const here = list.includes(n) ? list : data.cases.map((_, i) => i);
  const k = here.indexOf(n);
  const step = (to, label, key) => to === undefined ? null : h('a', {href: caseLink(data.cases[to]), title: data.cases[to].id, 'data-key': key}, label);
  const failing = data.targets.map((_, t) => alike(c, t));
  const planBox = h('div', {id: 'plan'}, h('p.dim', {}, 'unpacking …')), talkBox = h('div');
  const view = [
    h('p.path', {}, h('a', {href: address('', filters())}, '← all cases'), step(here[k - 1], '‹ previous', 'p'), step(here[k + 1], 'next ›', 'n'),
      h('span.far', {}, (k + 1) + ' of ' + here.length)),
    h('h1', {}, c.id),
    h('div.facts', {}, Object.entries(c.levels || {}).length ? data.profiles.map(name => c.levels[name] ? h('span.chip', {}, name + ' ' + c.levels[name]) : null) : null,
      (c.catalogue || []).map(x => h('span.chip', {}, x)), (c.needs || []).map(x => h('span.chip', {}, 'needs ' + x))),
    h('p.prose', {}, c.prose || 'The log tells no more of this case than its verdicts.'),
    citations(c.clauses),
    h('div.scroll', {}, h('table.verdicts', {}, h('thead', {}, h('tr', {}, h('th', {}, 'target'), data.profiles.map(name => h('th', {scope: 'col'}, name)), h('th', {}, ''))),
      h('tbody', {}, data.targets.map((t, i) => h('tr', {}, h('th', {scope: 'row'}, h('a', {href: targetLink(t.name)}, t.name), ' ', h('span.dim', {}, t.version)),
        data.profiles.map((_, j) => h('td', {}, chip(c.verdicts[i][j]))), h('td.dim', {}, remark(c, i))))))),
    failing.some(g => g.length) ? h('h2', {}, 'What went wrong') : null,
    data.targets.map((_, t) => t).sort((a, b) => (data.targets[b].name === focus) - (data.targets[a].name === focus)).map(t => failing[t].map(g => card(c, t, g))),
    h('h2', {}, 'Plan'), c.note ? h('p.note', {}, c.note) : null, planBox,
    h('h2', {}, 'Exchanges'), talkBox,
  ];
  unpack(n).then(x => {
    planBox.replaceChildren(plan(x, c, failing));
    talkBox.replaceChildren(...exchanges(x, c, focus));
  }).catch(err => { planBox.replaceChildren(h('p.note', {}, String(err.message || err))); });
  return view;
}

// remark is why a target was not judged, or what was measured of it.
function remark(c, t) {
  const v = verdict(c, t);
  if (!v) return '';
  const measured = Object.entries(v.m || {}).filter(([name, value]) => !name.startsWith('line ') || value.includes(' (')).map(([name, value]) => name + '=' + value);
  return [wrong(v) ? '' : v.w, ...measured, v.t ? v.t + ' ms' : ''].filter(Boolean).join(', ');
}

// plan is the text with its line numbers; where it was not met, who did not meet it.
function plan(x, c, failing) {
  if (!x.source) return h('p.dim', {}, 'The plan is not beside the log.');
  const hits = new Map();
  failing.forEach((groups, t) => groups.forEach(g => {
    const v = c.verdicts[t][g[0]];
    const m = v.f !== undefined && /:(\d+)$/.exec(data.failures[v.f].line || '');
    if (m) hits.set(+m[1], [...hits.get(+m[1]) || [], {who: data.targets[t].name, soft: v.v === 'warn', v: word(v)}]);
  }));
  const text = x.source.replace(/\n$/, '').split('\n');
  return h('div', {}, c.file ? h('p.dim', {}, c.file) : null,
    h('div.plan.mono', {}, text.map((line, i) => {
      const hit = hits.get(i + 1);
      return h('div' + (hit ? '.hit' + (hit.every(w => w.soft) ? '.soft' : '') : ''), {id: 'line-' + (i + 1)}, h('span.no', {}, String(i + 1)), h('code', {}, line),
        hit ? h('span.who', {}, '◂ ' + hit.map(w => w.who + ' ' + w.v).filter((w, j, all) => all.indexOf(w) === j).join(', ')) : null);
    })),
    x.words ? h('details', {}, h('summary', {}, 'The plan in words'), h('pre', {}, x.words)) : null);
}

function jump(line) {
  const e = $('line-' + line);
  if (!e) return;
  document.querySelectorAll('.plan .at').forEach(o => o.classList.remove('at'));
  e.classList.add('at');
  e.scrollIntoView({block: 'center'});
}

// exchanges are those of all targets; open are that in focus and those where something went wrong, at first the chosen
// profile's.
function exchanges(x, c, focus) {
  const list = x.exchanges || [];
  if (!list.length) return [h('p.dim', {}, 'The log has none: the case was not run, or what it said was not kept.')];
  const first = list.find(e => e.profiles.some(name => wrong(c.verdicts[e.target][data.profiles.indexOf(name)])));
  return list.map(e => {
    const name = data.targets[e.target].name;
    const vs = e.profiles.map(of => [h('span.dim', {}, of + ' '), chip(c.verdicts[e.target][data.profiles.indexOf(of)]), ' ']);
    const open = focus ? name === focus && list.find(o => o.target === e.target) === e : e === first || list.length === 1;
    const d = h('details', {open}, h('summary', {}, h('b', {}, name), ' ', vs, h('span.dim', {}, plural(e.events.length + (e.left || 0), 'event'))),
      e.rounds ? h('p.dim', {}, 'The case was run ' + e.rounds + ' times; this is the last.') : null);
    const fill = () => {
      if (!d.open || d.querySelector('.talk')) return;
      d.append(talk(e, x.frames || [], jump));
      const wrong = d.querySelector('.wrong');
      if (wrong && e.events.length > 10) d.children[0].after(h('button.copy', {type: 'button', onclick: () => wrong.scrollIntoView({block: 'center'})}, '↓ what was not wanted'));
    };
    d.addEventListener('toggle', fill);
    fill();
    return d;
  });
}

// targetView is what its implementer wants first: what is wrong with it, worst first, then what was not judged and why.
function targetView(t) {
  const target = data.targets[t], i = p();
  const bad = data.cases.map((c, n) => ({c, n, v: verdict(c, t)})).filter(x => wrong(x.v));
  const order = {fail: 0, xpass: 1, error: 2, warn: 3};
  bad.sort((a, b) => (order[a.v.v] ?? 2) - (order[b.v.v] ?? 2) || a.n - b.n);
  const not = new Map();
  for (const c of data.cases) {
    const v = verdict(c, t);
    if (v && ['xfail', 'unsupported', 'skipped'].includes(v.v)) {
      const key = v.v + '\n' + v.w;
      not.set(key, [...not.get(key) || [], c]);
    }
  }
  const s = target.counts[i] || {};
  return [
    h('p.path', {}, h('a', {href: address('', filters())}, '← all cases'), h('span', {}, data.targets.map((o, k) => k === t ? null : [h('a', {href: targetLink(o.name)}, o.name), ' ']))),
    h('h1', {}, target.name + ' in ' + data.profiles[i]),
    h('p.dim', {}, [target.version, target.given && 'given as ' + target.given].filter(Boolean).join(' · ')),
    h('p', {}, [['passed', 'pass'], ['failed', 'fail'], ['warned', 'warn'], ['expected', 'xfail'], ['unsupported', 'unsupported'], ['skipped', 'skipped'], ['errors', 'error']].filter(([k]) => s[k]).map(([k, v]) =>
      [h('a', {href: address('', {target: target.name, verdict: v})}, h('span.v.' + v, {}, s[k] + ' ' + words[v])), ' '])),
    bad.length ? null : h('p', {}, 'Nothing is wrong with it in this profile.'),
    bad.map(x => card(x.c, t, alike(x.c, t)[0], true)),
    not.size ? h('h2', {}, 'Not judged, or known to fail') : null,
    [...not].sort((a, b) => b[1].length - a[1].length).map(([key, cases]) => {
      const [v, why] = key.split('\n');
      return h('details', {}, h('summary', {}, chip({v}), ' ', why || 'no reason', ' ', h('span.dim', {}, plural(cases.length, 'case'))),
        h('ul', {}, cases.map(c => h('li', {}, h('a', {href: caseLink(c, target.name)}, c.id)))));
    }),
  ];
}
