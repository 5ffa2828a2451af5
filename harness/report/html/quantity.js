// Quantities in words, as the text report has them.
const grouped = n => String(Math.round(n)).replace(/\B(?=(\d{3})+$)/g, ',');
function figure(v) {
  const a = Math.abs(v);
  if (v === null || v === undefined || Number.isNaN(v)) return '–';
  if (a === 0) return '0';
  if (a >= 999.5) return grouped(v);
  if (a >= 99.95) return v.toFixed(0);
  if (a >= 9.995) return v.toFixed(1);
  if (a >= 0.9995) return v.toFixed(2);
  return String(+v.toPrecision(2));
}
const blank = f => v => v === null || v === undefined ? '–' : f(v);
const whole = blank(grouped);
const number = blank(figure);
// Ticks of an axis have no more digits than tell them apart.
const tick = blank(v => Math.abs(v) >= 1e4 ? (Math.abs(v) >= 1e6 ? +(v / 1e6).toPrecision(4) + ' M' : +(v / 1e3).toPrecision(4) + ' k') : String(+v.toPrecision(6)));
const millis = blank(ms => ms < 999.5 ? figure(ms) + ' ms' : ms < 99950 ? figure(ms / 1000) + ' s' : span(ms / 1000));
// latency of a load: from a microsecond on.
const micros = blank(us => figure(us) + ' µs');
const latency = blank(ms => Math.abs(ms) < 0.9995 ? micros(ms * 1000) : millis(ms));
const bytes = blank(v => {
  let unit = 0;
  while (v >= 1000 && unit < 4) { v /= 1024; unit++; }
  return figure(v) + ' ' + ['B', 'KiB', 'MiB', 'GiB', 'TiB'][unit];
});
// near rounds to so many digits, but down where it would become all.
function near(v, digits, all) {
  const scale = 10 ** digits, rounded = Math.round(v * scale) / scale;
  return (rounded >= all ? Math.floor(v * scale) / scale : rounded).toFixed(digits);
}
// percent of a share from 0 to 1; what is not all is never told as 100 %.
const percent = blank(share => {
  if (share >= 1) return '100 %';
  let digits = 1;
  for (let left = 1 - share; left < 0.0095 && digits < 6; left *= 10) digits++;
  return near(share * 100, digits, 100) + ' %';
});
const recall = blank(share => {
  if (share >= 1) return '1';
  let digits = 4;
  for (let left = 1 - share; left < 0.001 && digits < 7; left *= 10) digits++;
  return near(share, digits, 1);
});
// span of simulated seconds: 48h, 12h30m, 20s.
function span(seconds) {
  if (seconds < 60) return +seconds.toFixed(2) + 's';
  const s = Math.round(seconds), parts = [[Math.floor(s / 3600), 'h'], [Math.floor(s / 60) % 60, 'm'], [s % 60, 's']];
  return parts.filter(([n]) => n).map(([n, unit]) => n + unit).join('') || '0s';
}
