(function () {
  'use strict';
  const MOST_ROWS = 8000;
  const SHOWN_AT_FIRST = 6;
  const get = id => document.getElementById(id);
  const runs = new Map();
  const drawn = new Map();
  let state = {folders: [], experiments: [], runs: [], lines: [], reports: []};
  let task = {};
  let over = false;
  let lost = false;

  // Nothing that was read becomes markup.
  function element(tag, attributes, ...children) {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes || {})) {
      if (value !== null && value !== undefined && value !== false) made.setAttribute(name, value === true ? '' : value);
    }
    made.append(...children.filter(child => child !== null && child !== undefined));
    return made;
  }

  const count = n => Number(n).toLocaleString('en');
  function clock(seconds) {
    const s = Math.max(0, Math.round(seconds));
    const two = n => String(n).padStart(2, '0');
    return s >= 3600 ? Math.floor(s / 3600) + ':' + two(Math.floor(s / 60) % 60) + ':' + two(s % 60) : Math.floor(s / 60) + ':' + two(s % 60);
  }
  function size(bytes) {
    return bytes >= 1 << 30 ? (bytes / (1 << 30)).toFixed(1) + ' GiB' : bytes >= 1 << 20 ? Math.round(bytes / (1 << 20)) + ' MiB' : Math.ceil(bytes / 1024) + ' KiB';
  }

  // ---- runs and their curves

  function shortName(run) {
    const name = run.replace(/\/?metrics\.jsonl$/, '');
    return name === '' ? 'run' : name;
  }

  function receive(event) {
    let run = runs.get(event.run);
    if (!run) {
      run = {name: shortName(event.run), key: event.run, rows: [], stride: 1, seen: 0, number: runs.size, shown: false, begun: []};
      runs.set(event.run, run);
      choose();
    }
    if (event.anew) Object.assign(run, {rows: [], stride: 1, seen: 0, begun: []});
    for (const row of event.rows) {
      if (run.seen++ % run.stride === 0) run.rows.push(row);
      if (run.rows.length > MOST_ROWS) {
        run.rows = run.rows.filter((_, i) => i % 2 === 0);
        run.stride *= 2;
      }
    }
    if (event.rows.length) {
      run.last = event.rows[event.rows.length - 1];
      // What is already there when the page opens says nothing about speed.
      run.begun.push([performance.now() / 1000, run.last.step]);
      if (run.begun.length > 60) run.begun.splice(1, 1);
    }
    soon();
  }

  // The runs that are drawn: the newest ones, until somebody chooses.
  let chosen = false;
  function choose() {
    const all = [...runs.values()];
    if (!chosen) all.forEach((run, i) => { run.shown = i >= all.length - SHOWN_AT_FIRST; });
    const form = get('runs');
    form.replaceChildren(...(all.length < 2 ? [] : all.map(run => {
      const box = element('input', {type: 'checkbox', checked: run.shown});
      box.addEventListener('change', () => { chosen = true; run.shown = box.checked; soon(); });
      return element('label', {style: '--run:' + charts.palette(run.number)}, box, element('i', {'aria-hidden': 'true'}), run.name);
    })));
  }

  function chart(place, key, label) {
    let found = drawn.get(key);
    if (!found) {
      const div = element('div', {class: 'chart', role: 'img'});
      const value = element('span', {class: 'muted'});
      const figure = element('figure', {}, element('figcaption', {}, label + ' ', value), div);
      place.append(figure);
      found = {figure: figure, div: div, value: value, label: label, drawing: null};
      drawn.set(key, found);
    }
    return found;
  }

  function show(place, key, label, keys, share, shown) {
    const having = shown.filter(run => keys.some(each => run.rows.some(row => typeof row[each] === 'number')));
    // One run's values differ by colour, those of several by their dashes.
    const one = shown.length === 1;
    const lines = having.flatMap(run => keys.map((each, i) => {
      const own = each.replace('rewards/', '').replace('logps/', '');
      return {name: one ? own : keys.length > 1 ? run.name + ' ' + own : run.name, key: each, rows: run.rows,
        color: charts.palette(one ? i : run.number), type: !one && i > 0 ? 'dashed' : 'solid'};
    }));
    const found = chart(place, key, label);
    found.figure.hidden = lines.length === 0;
    if (lines.length === 0) return;
    const last = lines.map(line => {
      const row = line.rows.findLast(each => typeof each[line.key] === 'number');
      return (lines.length > 1 ? line.name + ' ' : '') + row[line.key].toPrecision(4) + ' at step ' + row.step;
    });
    found.value.textContent = lines.length === 1 ? last[0] : '';
    found.div.setAttribute('aria-label', label + ' by step: ' + last.join('; '));
    found.drawing = charts.draw(found.div, found.drawing, charts.curve(lines, share));
  }

  function drawCurves() {
    const shown = [...runs.values()].filter(run => run.shown && run.rows.length);
    get('training').hidden = runs.size === 0;
    if (!shown.length) {
      drawn.forEach(each => { each.figure.hidden = true; });
      return;
    }
    const kinds = charts.curveKinds.concat([['tokens_per_second', 'tokens a second', ['tokens_per_second']]]);
    const known = new Set(['step', 'epoch', 'num_tokens']);
    for (const [first, label, keys, share] of kinds) {
      keys.forEach(key => known.add(key));
      if (drawn.has(first) || shown.some(run => run.rows.some(row => typeof row[first] === 'number'))) show(get('curves'), first, label, keys, share, shown);
    }
    const others = new Set();
    for (const run of shown) for (const row of [run.rows[0], run.last, run.rows[run.rows.length >> 1]]) for (const key in row) if (!known.has(key) && typeof row[key] === 'number') others.add(key);
    get('more-curves').hidden = others.size === 0;
    if (get('more-curves').open) [...others].sort().slice(0, 60).forEach(key => show(get('others'), key, key.replaceAll('_', ' '), [key], false, shown));
  }

  // ---- the head of the page

  function left(run, steps) {
    const first = run.begun[0];
    const last = run.begun[run.begun.length - 1];
    return run.begun.length > 2 && last[1] > first[1] ? (last[0] - first[0]) / (last[1] - first[1]) * (steps - last[1]) : null;
  }

  function head() {
    const folder = state.folders.map(each => each.split(/[\\/]/).pop()).join(', ');
    get('title').textContent = folder || 'calm watch';
    document.title = (folder ? folder + ' · ' : '') + 'calm watch';
    const status = get('status');
    status.className = 'kicker ' + (lost ? 'lost' : state.running && !over ? 'running' : '');
    const since = state.changed ? (Date.now() - state.changed) / 1000 : null;
    status.textContent = lost ? 'no connection; the program has ended or was stopped'
      : over ? 'ended'
      : state.running ? 'running'
      : since === null ? 'nothing is there yet'
      : 'not running; last change ' + (since < 90 ? Math.round(since) + ' s' : since < 5400 ? Math.round(since / 60) + ' min' : since < 172800 ? Math.round(since / 3600) + ' h' : Math.round(since / 86400) + ' days') + ' ago';

    let now = task.name ? {name: task.name, done: task.done, total: task.total, note: task.note, left: task.seconds_left} : null;
    if (!now && !over && state.running) {
      // Another process is at work: how far it is stands in its metrics.
      for (const each of state.runs) {
        const run = runs.get(each.name);
        if (run && run.last && each.steps && run.last.step < each.steps && (!now || run.number > now.number)) {
          now = {name: run.name, done: run.last.step, total: each.steps, note: '', left: left(run, each.steps), number: run.number};
        }
      }
    }
    get('task').hidden = !now || over || lost;
    if (now) {
      get('task-name').textContent = now.name;
      get('task-count').textContent = count(now.done) + ' of ' + count(now.total) + (now.left === undefined || now.left === null ? '' : ', ' + clock(now.left) + ' left');
      get('task-note').textContent = now.note || '';
      get('task-bar').max = Math.max(1, now.total);
      get('task-bar').value = now.done;
    }
    const facts = [];
    const newest = [...runs.values()].filter(run => run.last).pop();
    if (state.resident) facts.push(['Memory', size(state.resident)]);
    if (newest && newest.last.tokens_per_second) facts.push(['Speed', count(Math.round(newest.last.tokens_per_second)) + ' tokens/s']);
    if (newest && typeof newest.last.loss === 'number') facts.push(['Loss', newest.last.loss.toPrecision(4)]);
    if (newest && newest.last.num_tokens) facts.push(['Trained on', count(newest.last.num_tokens) + ' tokens']);
    get('facts').replaceChildren(...facts.map(([name, value]) => element('div', {class: 'tile plain-figure'}, element('h3', {}, name), element('p', {class: 'figure'}, element('span', {class: 'is'}, value)))));
  }

  // ---- stages

  function stages() {
    const all = state.experiments.filter(each => each.stages.length);
    get('stages').hidden = all.length === 0;
    get('experiments').replaceChildren(...all.map(experiment => {
      const done = experiment.stages.filter(stage => stage.state === 'done').length;
      // A stage that was made again has its old time until it is done.
      const waiting = experiment.stages.filter(stage => stage.state === 'waits' && stage.seconds);
      const took = experiment.stages.filter(stage => stage.state === 'done').reduce((sum, stage) => sum + (stage.seconds || 0), 0);
      const ahead = waiting.reduce((sum, stage) => sum + stage.seconds, 0);
      return element('div', {},
        element('p', {class: 'muted'}, (experiment.name ? experiment.name + ': ' : '') + done + ' of ' + experiment.stages.length + ' done in ' + clock(took) + (ahead > 0 ? '; those that wait took ' + clock(ahead) + ' last time' : '')),
        element('ul', {class: 'stages'}, ...experiment.stages.map(stage => element('li', {class: stage.state},
          element('span', {class: 'mark', 'aria-hidden': 'true'}),
          element('span', {class: 'name'}, stage.name),
          element('span', {class: 'hidden'}, stage.state === 'begun' ? state.running ? 'under way' : 'stopped' : stage.state),
          element('span', {class: 'time'}, stage.state === 'done' ? stage.seconds === undefined ? '' : clock(stage.seconds)
            : stage.state === 'begun' ? state.running && !over ? clock((Date.now() - stage.begun) / 1000) + ' so far' : 'stopped' : '')))));
    }));
  }

  // ---- samples, votes and pairs

  const form = get('lines').querySelector('form');
  const cards = get('lines').querySelector('.cards');
  const more = get('lines').querySelector('button');
  let before = 0;
  let asked = 0;

  function options(select, values, names) {
    const now = select.value;
    if ([...select.options].map(option => option.value + option.textContent).join('\n') === values.map((value, i) => value + names[i]).join('\n')) return false;
    select.replaceChildren(...values.map((value, i) => element('option', {value: value}, names[i])));
    select.value = values.includes(now) ? now : values[0];
    return select.value !== now;
  }

  // What a run has so far is hidden beside its place.
  const fileName = name => name.replace(/(^|\/)\.([^/]*)\.partial$/, '$1$2 (growing)');

  function files() {
    const lines = state.lines.filter(each => each.kind !== 'generations');
    get('lines').hidden = lines.length === 0;
    const files = form.elements.file;
    const was = lines.find(each => each.name === files.value);
    const changed = options(files, lines.map(each => each.name), lines.map(each => fileName(each.name)));
    if (lines.length && (changed || !was || was.bytes !== files.bytes) && !form.contains(document.activeElement)) load(false);
    const now = lines.find(each => each.name === files.value);
    files.bytes = now ? now.bytes : 0;
  }

  async function load(further) {
    const own = ++asked;
    const query = new URLSearchParams({file: form.elements.file.value, language: form.elements.language.value, text: form.elements.text.value.trim()});
    if (further) query.set('before', before);
    try {
      const answer = await fetch('lines?' + query);
      if (!answer.ok || own !== asked) return;
      const page = await answer.json();
      if (own !== asked) return;
      before = page.before;
      const made = page.lines.map(card);
      if (further) cards.append(...made);
      else cards.replaceChildren(...made);
      more.hidden = before === 0;
      more.textContent = made.length ? 'More' : 'Look further';
      form.querySelector('output').textContent = cards.children.length ? cards.children.length + ' shown, the newest first' : 'none found';
      const languages = [''].concat(page.languages);
      options(form.elements.language, languages, ['all'].concat(page.languages));
    } catch (e) {
      // Without a connection the page says so at its head.
    }
  }

  let typing = 0;
  form.addEventListener('input', () => { clearTimeout(typing); typing = setTimeout(() => load(false), 200); });
  form.addEventListener('submit', event => event.preventDefault());
  more.addEventListener('click', () => load(true));

  const quote = (text, language) => element('blockquote', {lang: language, dir: 'auto'}, String(text));
  function text(value) {
    return typeof value === 'string' ? value : Array.isArray(value) ? value.map(turn => turn && turn.content !== undefined ? turn.role + ': ' + turn.content : JSON.stringify(turn)).join('\n') : JSON.stringify(value);
  }

  function votes(counts) {
    const all = Object.values(counts).reduce((a, b) => a + b, 0) || 1;
    return element('ul', {class: 'votes'}, ...Object.entries(counts).sort((a, b) => b[1] - a[1]).map(([label, n]) => element('li', {},
      element('b', {}, label), element('span', {class: 'bar', 'aria-hidden': 'true'}, element('span', {style: 'width:' + (100 * n / all).toFixed(1) + '%'})), element('span', {class: 'num'}, String(n)))));
  }

  function card(line) {
    const language = typeof line.language === 'string' ? line.language : null;
    const parts = [element('p', {class: 'tags'}, language ? element('span', {}, language) : null, line.chosen_source ? element('span', {}, line.chosen_source) : null,
      line.tie ? element('span', {}, 'tie') : null, line.id === undefined ? null : element('span', {class: 'id'}, String(line.id)))];
    if (line.question !== undefined) parts.push(element('p', {class: 'question', lang: language, dir: 'auto'}, text(line.question)));
    if (Array.isArray(line.choices)) {
      parts.push(element('ul', {class: 'choices', lang: language}, ...line.choices.map(choice => element('li', {}, element('b', {}, choice.label + ' '), text(choice.text), choice.label === line.answer ? element('span', {class: 'mark'}, 'true') : null))));
    }
    if (Array.isArray(line.responses)) {
      line.responses.forEach(response => parts.push(element('h4', {}, response.answer ? 'answers ' + response.answer : 'no answer'), quote(text(response.text), language)));
    } else if (line.votes) {
      parts.push(element('p', {}, 'winner ', element('b', {}, line.answer || 'none'), ' with ' + Math.round(100 * line.agreement) + ' % agreement'), votes(line.votes));
      for (const [each, counts] of Object.entries(line.by_language || {})) parts.push(element('h4', {}, each), votes(counts));
    } else if (line.chosen !== undefined) {
      parts.push(quote(text(line.prompt), language), element('div', {class: 'sides'},
        element('div', {}, element('h4', {}, 'chosen' + (line.chosen_answer ? ': ' + line.chosen_answer : '')), quote(text(line.chosen), language)),
        element('div', {}, element('h4', {}, 'rejected' + (line.rejected_answer ? ': ' + line.rejected_answer : '')), quote(text(line.rejected), language))));
    } else {
      parts.push(quote(JSON.stringify(line, null, 1), language));
    }
    return element('div', {class: 'card'}, ...parts);
  }

  // ---- generations

  const said = get('generations').querySelector('form');
  let generations = [];
  let heard = '';

  async function generated() {
    const files = state.lines.filter(each => each.kind === 'generations');
    get('generations').hidden = files.length === 0;
    if (!files.length) return;
    options(said.elements.file, files.map(each => each.name), files.map(each => shortName(each.name.replace('generations.jsonl', 'metrics.jsonl'))));
    const file = files.find(each => each.name === said.elements.file.value);
    const version = file.name + file.bytes;
    if (version === heard) return;
    heard = version;
    const lines = [];
    let from = '';
    try {
      for (let page = 0; page < 25 && from !== 0; page++) {
        const answer = await (await fetch('lines?' + new URLSearchParams(from === '' ? {file: file.name} : {file: file.name, before: from}))).json();
        lines.push(...answer.lines);
        from = answer.before;
      }
    } catch (e) {
      return;
    }
    const range = said.elements.step;
    const atEnd = Number(range.value) === Number(range.max);
    generations = lines;
    const steps = [...new Set(lines.map(line => line.step))].sort((a, b) => a - b);
    range.max = Math.max(0, steps.length - 1);
    if (atEnd) range.value = range.max;
    range.steps = steps;
    compare();
  }

  function compare() {
    const range = said.elements.step;
    const steps = range.steps || [];
    const step = steps[Number(range.value)];
    said.querySelector('output').textContent = step === undefined ? '' : step + ' of ' + steps[steps.length - 1];
    get('now').textContent = 'At step ' + step;
    const at = new Map();
    for (const line of generations) {
      const prompt = text(line.prompt);
      if (!at.has(prompt)) at.set(prompt, {});
      if (line.step === steps[0]) at.get(prompt).first = line;
      if (line.step === step) at.get(prompt).now = line;
    }
    get('generations').querySelector('tbody').replaceChildren(...[...at].reverse().map(([prompt, both]) => {
      const changed = both.first && both.now && text(both.first.completion) !== text(both.now.completion);
      return element('tr', {}, element('th', {scope: 'row', dir: 'auto'}, prompt), element('td', {dir: 'auto'}, both.first ? text(both.first.completion) : ''),
        element('td', {dir: 'auto', class: changed ? 'changed' : null}, both.now ? text(both.now.completion) : ''));
    }));
  }
  said.addEventListener('input', event => { if (event.target.name === 'file') { heard = ''; generated(); } else compare(); });
  said.addEventListener('submit', event => event.preventDefault());

  // ---- reports

  let framed = '';
  function reports() {
    const all = state.reports;
    get('reports').hidden = all.length === 0;
    // A report is read once while its experiment runs, and again when that has ended.
    const version = all.join('\n') + (state.running && !over ? '' : ' ' + state.changed);
    if (!all.length || version === framed) return;
    framed = version;
    const address = name => 'report?' + new URLSearchParams({file: name});
    get('reports').querySelector('div').replaceChildren(
      element('p', {class: 'muted'}, ...all.slice(0, 12).flatMap(name => [element('a', {href: address(name), target: '_blank', rel: 'noopener'}, name), ' '])),
      element('iframe', {src: address(all[0]), title: 'Report ' + all[0], sandbox: 'allow-scripts allow-popups'}));
  }

  // ---- all together

  let waiting = false;
  function soon() {
    if (waiting) return;
    waiting = true;
    // A page that nobody sees draws when it is looked at again.
    setTimeout(() => { waiting = false; if (document.visibilityState === 'visible') { charts.readColors(); drawCurves(); head(); } }, 250);
  }

  charts.readColors();
  const events = new EventSource('events');
  events.addEventListener('open', () => { lost = false; head(); });
  events.addEventListener('error', () => { if (!over) { lost = true; head(); } });
  events.addEventListener('state', event => { state = JSON.parse(event.data); head(); stages(); files(); generated(); reports(); });
  events.addEventListener('task', event => { task = JSON.parse(event.data).task; head(); });
  events.addEventListener('rows', event => receive(JSON.parse(event.data)));
  events.addEventListener('end', () => { over = true; events.close(); head(); stages(); reports(); });
  setInterval(() => { if (!over && !lost && document.visibilityState === 'visible') { head(); stages(); } }, 1000);
  const redraw = () => { charts.readColors(); choose(); soon(); };
  document.addEventListener('visibilitychange', soon);
  get('more-curves').addEventListener('toggle', soon);
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', redraw);
  charts.onWidth(soon);
  window.addEventListener('beforeprint', () => { document.documentElement.classList.add('paper'); charts.readColors(); drawCurves(); });
  window.addEventListener('afterprint', () => { document.documentElement.classList.remove('paper'); redraw(); });
})();
