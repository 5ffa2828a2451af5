// The overview: which rows of the matrix are shown.
const rows = [...document.querySelectorAll('#matrix tr[data-n]')];
const fields = {q: $('q'), area: $('f-area'), level: $('f-level'), target: $('f-target'), verdict: $('f-verdict')};
for (const a of new Set(data.cases.map(c => c.area))) fields.area.append(h('option', {}, a));
for (const t of data.targets) fields.target.append(h('option', {}, t.name));

// haystack is what the search looks through, made when it is first needed: the case's texts and why it failed for whom.
const haystacks = [];
function haystack(n) {
  if (!haystacks[n]) {
    const c = data.cases[n];
    const said = c.verdicts.flat().filter(Boolean).flatMap(v => [v.w, ...(v.f === undefined ? [] : Object.values(data.failures[v.f]))]);
    haystacks[n] = [c.id, c.prose, ...(c.catalogue || []), ...(c.needs || []), ...(c.clauses || []).flatMap(x => [x.at, x.demand]), ...said].join('\n').toLowerCase();
  }
  return haystacks[n];
}

function shows(c, n) {
  const f = Object.fromEntries(Object.entries(fields).map(([k, e]) => [k, e.value]));
  const t = data.targets.findIndex(x => x.name === f.target);
  const own = t < 0 ? data.targets.map((_, i) => verdict(c, i)) : [verdict(c, t)];
  if (f.area && c.area !== f.area || f.level && level(c) !== f.level) return false;
  if (t >= 0 && !own[0]) return false;
  if (f.verdict === 'wrong' && !own.some(wrong)) return false;
  if (f.verdict === 'differs' && new Set(data.targets.map((_, i) => kind(verdict(c, i)))).size < 2) return false;
  if (kinds.includes(f.verdict) && !own.some(v => v && v.v === f.verdict)) return false;
  return f.q.toLowerCase().split(/\s+/).every(w => haystack(n).includes(w));
}

// list are the numbers of the cases that are shown, in order; the case view goes along it.
let list = data.cases.map((_, n) => n);
function filter() {
  list = data.cases.map((_, n) => n).filter(n => shows(data.cases[n], n));
  const shown = new Set(list);
  for (const row of rows) row.hidden = !shown.has(+row.dataset.n);
  for (const body of document.querySelectorAll('#matrix tbody')) {
    const left = [...body.querySelectorAll('tr[data-n]')].filter(r => !r.hidden).length;
    body.hidden = left === 0;
    body.querySelector('small').textContent = plural(left, 'case');
  }
  $('shown').textContent = list.length === rows.length ? plural(rows.length, 'case') : list.length + ' of ' + plural(rows.length, 'case');
}
const filters = () => Object.fromEntries(Object.entries(fields).map(([k, e]) => [k, e.value]));
function setFilters(query) {
  for (const [k, e] of Object.entries(fields)) {
    e.value = query.get(k) || '';
    if (e.tagName === 'SELECT' && e.selectedIndex < 0) e.value = '';
  }
}

// The row that the keys move.
let at = -1;
function move(by) {
  if (!list.length) return;
  const now = list.indexOf(at);
  at = list[Math.min(list.length - 1, Math.max(0, now < 0 ? (by > 0 ? 0 : list.length - 1) : now + by))];
  for (const row of rows) row.classList.toggle('at', +row.dataset.n === at);
  rows[at].querySelector('a').focus({preventScroll: true});
  rows[at].scrollIntoView({block: 'nearest'});
}
$('matrix').addEventListener('click', e => {
  const cell = e.target.closest('td[data-t]');
  if (cell) location.hash = caseLink(data.cases[+cell.parentNode.dataset.n], data.targets[+cell.dataset.t].name);
});
