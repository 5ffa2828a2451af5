// What every page stands on: the data and the making of elements. Text of peers becomes text nodes, never markup.
const data = JSON.parse(document.getElementById('data').textContent);
const $ = id => document.getElementById(id);

// h makes an element: h('a.link', {href}, children…). Children are nodes, strings, or lists of them; null is nothing.
function h(what, attrs, ...children) {
  const [tag, ...classes] = what.split('.');
  const e = document.createElement(tag);
  if (classes.length) e.className = classes.join(' ');
  for (const [name, value] of Object.entries(attrs || {})) {
    if (name.startsWith('on')) e.addEventListener(name.slice(2), value);
    else if (value === true) e.setAttribute(name, '');
    else if (value !== null && value !== undefined && value !== false) e.setAttribute(name, value);
  }
  e.append(...children.flat(Infinity).filter(c => c !== null && c !== undefined && c !== false && c !== ''));
  return e;
}
const plural = (n, noun) => n + ' ' + noun + (n === 1 ? '' : 's');

// copy is a button for a text that is there to be copied.
function copy(text) {
  return h('button.copy', {type: 'button', onclick: async e => {
    try { await navigator.clipboard.writeText(text); e.target.textContent = 'copied'; } catch (err) { e.target.textContent = 'select it by hand'; }
  }}, 'copy');
}
