// What the page of simulations and loads shows of each plan.
document.documentElement.classList.add('js');

const sideBySide = 8; // runs, as many as there are colours

data.experiments.forEach((e, i) => {
  const body = h('div'), runs = e.runs;
  const names = runs.map(r => r.name), few = runs.length > 1 && runs.length <= sideBySide;
  const draw = n => body.replaceChildren(...runView(e, few && n === 0 ? runs : [runs[few ? n - 1 : n]]));
  const picker = runs.length > 1 ? [h('h2', {}, 'Run by run'), h('div.controls', {}, choose('run', few ? ['all, side by side', ...names] : names, 0, draw))] : null;
  document.querySelectorAll('.plots')[i].append(...[sweepView(e), picker, body].flat(Infinity).filter(Boolean));
  draw(0);
});

data.trials?.forEach((t, i) => document.querySelectorAll('.loads')[i].append(...loadView(t).flat(Infinity).filter(Boolean)));
