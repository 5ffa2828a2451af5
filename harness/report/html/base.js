// What the views of cases stand on: verdicts, the chosen profile, the address.
const byID = new Map(data.cases.map((c, n) => [c.id, n]));
const words = {pass: 'pass', warn: 'warn', fail: 'FAIL', xfail: 'xfail', xpass: 'XPASS', unsupported: 'unsup', skipped: 'skip', error: 'ERROR'};
const kinds = Object.keys(words);
const wrong = v => !!v && !['pass', 'xfail', 'unsupported', 'skipped'].includes(v.v);
const kind = v => v ? (kinds.includes(v.v) ? v.v : 'error') : 'none';
const word = v => v ? words[v.v] || v.v : '–';
const chip = (v, title) => h('span.v.' + kind(v), {title: title || (v && v.w) || null}, word(v));

// profile is the chosen one, p its number.
const profile = () => (document.querySelector('#profiles input:checked') || {value: data.profile}).value;
const p = () => Math.max(0, data.profiles.indexOf(profile()));
const verdict = (c, t, at = p()) => c.verdicts[t][at];
const level = c => (c.levels && c.levels[profile()]) || (c.verdicts.map(row => row[p()]).find(v => v && v.l) || {l: ''}).l;

// The address is #PLACE?KEY=VALUE&…: #case/find-node/own-id?profile=amino, #target/go, #clauses, #?verdict=fail&q=key.
function place() {
  const [path, query] = (location.hash.slice(1) + '?').split('?');
  let decoded = path;
  try { decoded = decodeURIComponent(path); } catch (e) { /* as it is: it leads nowhere then */ }
  return {path: decoded, query: new URLSearchParams(query)};
}
function address(path, query = {}) {
  const q = new URLSearchParams(Object.entries(query).filter(([, v]) => v));
  if (profile() !== data.profile) q.set('profile', profile());
  const s = q.toString();
  return '#' + path.split('/').map(encodeURIComponent).join('/') + (s ? '?' + s : '');
}
const caseLink = (c, target) => address('case/' + c.id, {target});
const targetLink = name => address('target/' + name);
