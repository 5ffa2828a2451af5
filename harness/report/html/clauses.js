// The clauses of the specifications with their cases and verdicts. Without a table of clauses they are those that the
// cases cite.
function clauseList() {
  if (data.clauses.length) return data.clauses;
  const cited = new Map();
  for (const c of data.cases) {
    for (const x of c.clauses || []) {
      if (!cited.has(x.at)) cited.set(x.at, {...x, cases: []});
      cited.get(x.at).cases.push(c.id);
    }
  }
  const first = s => +(/L?(\d+)/.exec(s.split(' ')[1] || '') || [0, 0])[1];
  return [...cited.values()].sort((a, b) => a.at.split(' ')[0].localeCompare(b.at.split(' ')[0]) || first(a.at) - first(b.at) || a.at.localeCompare(b.at));
}

// worst of a target's verdicts on some cases.
const gravity = ['none', 'skipped', 'unsupported', 'pass', 'xfail', 'warn', 'xpass', 'error', 'fail'];
function worst(cases, t) {
  return cases.map(c => verdict(c, t)).reduce((a, b) => gravity.indexOf(kind(b)) > gravity.indexOf(kind(a)) ? b : a, null);
}

// related says whether a citation and a search for one name lines in common: L357 of L350-L360.
function related(at, wanted) {
  const read = s => { const m = /^(\S+) L?(\d+)(?:-L?(\d+))?/i.exec(s); return m && [m[1], +m[2], +(m[3] || m[2])]; };
  const a = read(at), b = read(wanted);
  return !!a && !!b && a[0] === b[0] && a[1] <= b[2] && b[1] <= a[2];
}

function clausesView(query) {
  const all = clauseList();
  const levels = all.some(c => c.level);
  const search = h('input', {type: 'search', value: query, placeholder: 'Search clauses and cases', 'aria-label': 'Search clauses', autocomplete: 'off', id: 'cq'});
  const body = h('div');
  const draw = () => {
    const wanted = search.value.trim().toLowerCase();
    const shown = all.filter(c => !wanted || related(c.at, wanted) || wanted.split(/\s+/).every(w => [c.at, c.demand, c.level, c.reason, ...(c.cases || [])].join('\n').toLowerCase().includes(w)));
    const docs = new Map();
    for (const c of shown) docs.set(c.at.split(' ')[0], [...docs.get(c.at.split(' ')[0]) || [], c]);
    body.replaceChildren(h('p.dim', {}, shown.length + ' of ' + plural(all.length, 'clause') + ', in ' + profile() + '. A cell is the worst verdict on the cases of a clause.'),
      ...[...docs].flatMap(([doc, list]) => [h('h2', {}, doc || 'other'), table(list)]));
  };
  search.addEventListener('input', draw);
  draw();
  return [h('p.path', {}, h('a', {href: address('', filters())}, '← all cases')), h('h1', {}, 'Clauses'), h('p', {}, search), body];

  function table(list) {
    return h('div.scroll', {}, h('table.spec', {}, h('thead', {}, h('tr', {}, ['lines', ...(levels ? ['level'] : []), 'what it demands', ...data.targets.map(t => t.name)].map(x => h('th', {scope: 'col'}, x)))),
      h('tbody', {}, list.map(c => {
        const cases = (c.cases || []).filter(id => byID.has(id)).map(id => data.cases[byID.get(id)]);
        const lines = c.at.slice(c.at.indexOf(' ') + 1);
        return h('tr', {}, h('td', {}, c.link ? h('a', {href: c.link, rel: 'noreferrer noopener', target: '_blank', title: 'the text'}, lines + ' ↗') : lines), levels ? h('td', {}, c.level || '') : null,
          h('td', {}, c.demand || '', cases.length ? h('details', {}, h('summary.dim', {}, plural(cases.length, 'case')), h('ul', {}, cases.map(x => h('li', {}, h('a', {href: caseLink(x)}, x.id))))) :
            h('div.dim', {}, c.reason ? 'no case: ' + c.reason : (c.cases || []).length ? 'not run: ' + c.cases.join(', ') : 'no case')),
          data.targets.map((_, t) => h('td', {}, chip(worst(cases, t)))));
      }))));
  }
}

function helpView() {
  const key = (k, what) => h('tr', {}, h('td', {}, k.split(' ').map(x => [h('kbd', {}, x), ' '])), h('td', {}, what));
  return [h('p.path', {}, h('a', {href: address('', filters())}, '← all cases')), h('h1', {}, 'Help'),
    h('p.prose', {}, 'Each row of the matrix is a case, each column an implementation. A case is judged in each profile: base is the libp2p specification, amino that of IPFS, defacto what the largest deployment accepts; the switch at the top chooses one. A case or a cell leads to the case: its clauses, what was wanted and what came, the plan and the bytes that went over each stream. The name of a target leads to all that is wrong with it. The address of every view can be shared.'),
    h('table', {}, h('tbody', {}, key('/', 'search'), key('j k', 'next and previous case of the matrix'), key('Enter', 'open it'), key('n p', 'next and previous case, within a case'),
      key('1 2 3', 'profile ' + data.profiles.join(', ')), key('u Esc', 'back to all cases'), key('c', 'clauses'), key('?', 'this help'))),
    h('p.prose', {}, `Frames are kept up to ${data.limits.frame} bytes, and of a long exchange the first ${data.limits.head} and the last ${data.limits.tail} events; the log, one JSON object a line, has all events, and frames up to ${data.limits.log} bytes. Of a target that was run once for each profile, the exchange of the profile that decides is kept, and others where something went wrong.`)];
}
