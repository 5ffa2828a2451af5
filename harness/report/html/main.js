// Which view is shown, and the keys.
document.documentElement.classList.add('js');
const view = $('view'), overview = $('overview');

function show() {
  const {path, query} = place();
  const radio = document.getElementById('p-' + query.get('profile'));
  if (radio) radio.checked = true;
  else if (profile() !== data.profile) { // chosen before: it stays, and the address says so
    query.set('profile', profile());
    history.replaceState(null, '', '#' + location.hash.slice(1).split('?')[0] + '?' + query);
  }
  const [head, ...rest] = path.split('/'), tail = rest.join('/');
  let made = null, name = '';
  if (head === 'case') {
    made = byID.has(tail) ? caseView(byID.get(tail), query.get('target')) : lost('The log has no case ' + tail + '.');
    name = tail;
    at = byID.has(tail) ? byID.get(tail) : at;
  } else if (head === 'target') {
    const t = data.targets.findIndex(x => x.name === tail);
    made = t >= 0 ? targetView(t) : lost('The log has no target ' + tail + '.');
    name = tail;
  } else if (head === 'clauses') {
    made = clausesView(query.get('q') || '');
    name = head;
  } else if (head === 'help') {
    made = helpView();
    name = head;
  } else {
    setFilters(query);
    filter();
  }
  overview.hidden = !!made;
  view.hidden = !made;
  view.replaceChildren(...(made || []).flat(Infinity).filter(Boolean));
  document.title = (name ? name + ' · ' : '') + 'kadbench';
  if (!made) {
    for (const row of rows) row.classList.toggle('at', +row.dataset.n === at);
    if (at >= 0 && rows[at]) rows[at].scrollIntoView({block: 'center'});
    return;
  }
  window.scrollTo(0, 0);
  view.focus({preventScroll: true});
}
const lost = what => [h('p.path', {}, h('a', {href: address('')}, '← all cases')), h('p.note', {}, what)];

// A change of profile or filter changes the address, without an entry of its own in the history.
function rewrite() {
  const {path, query} = place();
  const keep = path ? {q: query.get('q'), target: query.get('target')} : filters();
  history.replaceState(null, '', address(path, keep));
}
$('profiles').addEventListener('change', () => { rewrite(); show(); });
$('filters').addEventListener('input', () => { rewrite(); filter(); });
$('filters').addEventListener('reset', () => setTimeout(() => { rewrite(); filter(); }));
$('filters').addEventListener('submit', e => { e.preventDefault(); at = -1; move(1); });
$('home').addEventListener('click', () => { at = -1; });

document.addEventListener('keydown', e => {
  if (e.ctrlKey || e.metaKey || e.altKey) return;
  const typing = /^(INPUT|SELECT|TEXTAREA)$/.test(e.target.tagName) && e.target.type !== 'radio';
  if (typing) {
    if (e.key === 'Escape') e.target.blur();
    return;
  }
  const go = to => { location.hash = to; };
  const inside = !view.hidden;
  const press = key => { const a = document.querySelector('[data-key="' + key + '"]'); if (a) a.click(); };
  const radio = $('p-' + data.profiles[+e.key - 1]);
  if (e.key === '/') { if (inside && !$('cq')) go(address('', filters())); setTimeout(() => ($('cq') || $('q')).focus()); }
  else if (e.key === 'n' || e.key === 'p') { if (inside) press(e.key); else move(e.key === 'n' ? 1 : -1); }
  else if (e.key === 'j' || e.key === 'k') { if (!inside) move(e.key === 'j' ? 1 : -1); else press(e.key === 'j' ? 'n' : 'p'); }
  else if (inside && (e.key === 'u' || e.key === 'Escape')) go(address('', filters()));
  else if (e.key === 'c') go(address('clauses'));
  else if (e.key === '?') go(address('help'));
  else if (radio) { radio.checked = true; rewrite(); show(); }
  else return;
  e.preventDefault();
});
window.addEventListener('hashchange', show);
window.addEventListener('beforeprint', () => document.querySelectorAll('main:not([hidden]) details').forEach(d => { d.open = true; }));
filter();
show();
