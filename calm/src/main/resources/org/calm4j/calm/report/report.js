(function () {
  'use strict';
  const data = JSON.parse(document.getElementById('data').textContent);
  const codes = Object.keys(data.languages);
  const symbols = ['diamond', 'triangle', 'rect', 'pin', 'arrow'];
  const drawn = [];
  const {colors, readColors, percent, escape, axisText, shareAxis, tooltip, legend, base} = charts;
  const narrow = element => element.clientWidth < 420;

  // Whiskers are one line series that breaks between intervals; they share their points' name, so the legend hides both.
  function whiskers(name, color, width, segments, more) {
    return Object.assign({type: 'line', name: name, symbol: 'none', silent: true, lineStyle: {color: color, width: width, cap: 'round'}, itemStyle: {color: color},
      data: segments.flatMap(s => [s[0], s[1], [null, null]])}, more);
  }

  // Where guessing would be.
  const chanceLine = (direction, label, more) => data.chance ? [Object.assign({type: 'line', name: 'chance', silent: true, data: [], markLine: {silent: true, symbol: 'none',
    lineStyle: {color: colors.muted, type: 'dotted', width: 1.5}, label: {formatter: 'chance', color: colors.muted, fontSize: 11, position: label},
    data: [{[direction]: data.chance.share}]}}, more)] : [];

  // More of them would hide what the drawing is about; the table of results has them all.
  const MOST_BASELINES = 3;
  const baselines = [...new Set(Object.values(data.outcomes).flatMap(outcome => outcome ? Object.keys(outcome.baselines || {}) : []))];

  const shownBaselines = baselines.length > MOST_BASELINES ? [] : baselines;

  // ECharts wraps a legend but does not say how high it became.
  function legendLines(names, width) {
    let lines = 1;
    let used = 0;
    for (const name of names) {
      const wide = 36 + 7 * name.length;
      if (used > 0 && used + wide > width) {
        lines++;
        used = 0;
      }
      used += wide;
    }
    return lines;
  }

  function accuracy(element) {
    const outcome = data.outcomes[element.dataset.set];
    const rows = [['Before', outcome.before, colors.before, 'circle', 10], ['After CALM', outcome.after, colors.accent, 'circle', 12]];
    // A baseline keeps its colour and its place in both sets.
    shownBaselines.forEach((name, i) => {
      if (outcome.baselines && name in outcome.baselines) rows.push([name, outcome.baselines[name], colors.series[i % colors.series.length], symbols[i % symbols.length], 8]);
    });
    const models = 2 + shownBaselines.length;
    const shown = codes.filter(code => rows.some(row => code in row[1].accuracy));
    const gap = Math.min(0.3, 0.74 / models);
    const top = 16 + (data.chance ? 12 : 0) + 22 * legendLines(['Before', 'After CALM'].concat(shownBaselines), element.clientWidth);
    element.style.height = Math.max(220, top + 30 + shown.length * Math.max(40, 15 * models)) + 'px';
    const series = [];
    rows.forEach((row, r) => {
      const place = i => i + 0.5 + (r - (rows.length - 1) / 2) * gap;
      const points = [];
      const segments = [];
      shown.forEach((code, i) => {
        const value = row[1].accuracy[code];
        const interval = row[1].confidence_intervals.accuracy[code];
        if (value === undefined) return;
        points.push({value: [value, place(i)], code: code, interval: interval});
        if (interval) segments.push([[interval[0], place(i)], [interval[1], place(i)]]);
      });
      series.push(whiskers(row[0], row[2], r < 2 ? 2.5 : 1.5, segments, {yAxisIndex: 1}));
      series.push({type: 'scatter', name: row[0], yAxisIndex: 1, symbol: row[3], symbolSize: row[4], itemStyle: {color: row[2]}, data: points});
    });
    return base({
      legend: legend({data: rows.map(row => ({name: row[0], icon: row[3]}))}),
      grid: {left: 4, right: 18, top: top, bottom: 4, containLabel: true},
      tooltip: tooltip({trigger: 'item', formatter: p => escape(data.languages[p.data.code]) + ', ' + escape(p.seriesName.toLowerCase()) + '<br><b>' + percent(p.data.value[0])
        + '</b>' + (p.data.interval ? ' (' + percent(p.data.interval[0]) + ' to ' + percent(p.data.interval[1]) + ')' : '')}),
      xAxis: shareAxis(),
      yAxis: [
        {type: 'category', inverse: true, data: shown.map(code => data.languages[code]), axisLabel: {color: colors.ink, fontSize: 13}, axisLine: {show: false}, axisTick: {show: false},
          splitArea: {show: true, areaStyle: {color: ['transparent', colors.line + '40']}}},
        {type: 'value', inverse: true, min: 0, max: shown.length, show: false}],
      series: series.concat(chanceLine('xAxis', 'start', {yAxisIndex: 1}))});
  }

  function calibration(element) {
    const bins = data.vote.calibration;
    const middle = bin => (bin.low + bin.high) / 2;
    const small = narrow(element);
    return base({
      legend: legend({data: [{name: 'right', icon: 'rect'}, {name: 'if accuracy equalled agreement', icon: 'path://M0 4h16v2H0z'}]}),
      grid: {left: 4, right: 24, top: 40, bottom: 30, containLabel: true},
      tooltip: tooltip({trigger: 'item', formatter: p => { const bin = p.data.bin; return 'agreement ' + Math.round(100 * bin.low) + ' to ' + Math.round(100 * bin.high) + ' %<br><b>' + percent(bin.accuracy)
        + '</b> right (' + percent(bin.interval[0]) + ' to ' + percent(bin.interval[1]) + ')<br>' + bin.n + ' questions'; }}),
      xAxis: shareAxis({name: 'agreement', nameLocation: 'middle', nameGap: 26, nameTextStyle: axisText(), splitLine: {show: false}}),
      yAxis: shareAxis(),
      series: [
        {type: 'bar', name: 'right', barWidth: Math.max(10, (element.clientWidth - 60) / 10 - 6), itemStyle: {color: colors.accent, opacity: 0.7, borderRadius: [3, 3, 0, 0]},
          data: bins.map(bin => ({value: [middle(bin), bin.accuracy], bin: bin,
            label: {show: true, position: 'insideBottom', color: colors.panel, fontWeight: 600, fontSize: small ? 9 : 11, formatter: (small ? '' : 'n ') + bin.n}}))},
        whiskers('right', colors.ink, 1.5, bins.map(bin => [[middle(bin), bin.interval[0]], [middle(bin), bin.interval[1]]])),
        {type: 'line', name: 'if accuracy equalled agreement', symbol: 'none', silent: true, lineStyle: {color: colors.muted, type: 'dashed', width: 1.5}, itemStyle: {color: colors.muted}, data: [[0, 0], [1, 1]]}].concat(chanceLine('yAxis', 'insideStartTop'))});
  }

  function subsets() {
    const points = data.vote.by_languages;
    const at = points.map(p => String(p.languages));
    const band = {type: 'line', stack: 'band', symbol: 'none', silent: true, lineStyle: {opacity: 0}, tooltip: {show: false}};
    return base({
      legend: legend({data: [{name: 'mean', icon: 'circle'}, {name: 'least to greatest', icon: 'rect'}]}),
      grid: {left: 4, right: 24, top: 40, bottom: 30, containLabel: true},
      tooltip: tooltip({trigger: 'axis', formatter: ps => { const p = points[ps[0].dataIndex]; return p.languages + (p.languages === 1 ? ' language' : ' languages') + '<br><b>' + percent(p.accuracy) + '</b> right ('
        + percent(p.least) + ' to ' + percent(p.greatest) + ')'; }}),
      xAxis: {type: 'category', data: at, name: 'voting languages', nameLocation: 'middle', nameGap: 26, nameTextStyle: axisText(), axisLabel: axisText(), axisLine: {lineStyle: {color: colors.line}}, axisTick: {show: false}},
      yAxis: shareAxis(),
      series: [
        Object.assign({name: 'least', data: points.map(p => p.least)}, band),
        Object.assign({name: 'least to greatest', itemStyle: {color: colors.accent, opacity: 0.25}, areaStyle: {color: colors.accent, opacity: 0.18}, data: points.map(p => p.greatest - p.least)}, band),
        {type: 'line', name: 'mean', symbol: 'circle', symbolSize: 9, lineStyle: {color: colors.accent, width: 2.5}, itemStyle: {color: colors.accent}, data: points.map(p => p.accuracy),
          label: {show: true, position: 'bottom', color: colors.ink, fontSize: 12, formatter: p => Math.round(100 * p.value) + ' %'}}].concat(chanceLine('yAxis', 'insideEndTop'))});
  }

  function languages(element) {
    const figure = element.dataset.figure;
    const sets = [['held out', 'held_out', colors.accent, 'circle'], [data.main.toLowerCase(), 'eval', colors.series[0], 'diamond']].filter(set => data.curve.some(p => p[set[1]] && p[set[1]][figure] !== undefined));
    const series = [];
    for (const [name, set, color, symbol] of sets) {
      const points = data.curve.filter(p => p[set] && p[set][figure] !== undefined);
      series.push(whiskers(name, color, 1.5, points.filter(p => p[set].confidence_intervals[figure]).map(p => [[p.languages, p[set].confidence_intervals[figure][0]], [p.languages, p[set].confidence_intervals[figure][1]]])));
      series.push({type: 'line', name: name, symbol: symbol, symbolSize: 9, lineStyle: {color: color, width: 2.5}, itemStyle: {color: color}, data: points.map(p => [p.languages, p[set][figure]])});
    }
    return base({
      legend: legend({data: sets.map(set => ({name: set[0], icon: set[3]}))}),
      grid: {left: 4, right: 24, top: 40, bottom: 30, containLabel: true},
      tooltip: tooltip({trigger: 'item', formatter: p => p.value[0] + ' voting: <b>' + percent(p.value[1]) + '</b> (' + escape(p.seriesName) + ')'}),
      xAxis: {type: 'value', min: 0, max: data.curve.length - 1, interval: 1, name: 'voting languages', nameLocation: 'middle', nameGap: 26, nameTextStyle: axisText(), axisLabel: axisText(), axisLine: {lineStyle: {color: colors.line}}, axisTick: {show: false}, splitLine: {show: false}},
      yAxis: shareAxis(),
      series: figure === 'accuracy_mean' ? series.concat(chanceLine('yAxis', 'insideEndTop')) : series});
  }

  function layers(element) {
    const inside = data.inside;
    const line = (name, values, color, type, symbol) => ({type: 'line', name: name, symbol: symbol || 'circle', symbolSize: 8, lineStyle: {color: color, width: 2.5, type: type}, itemStyle: {color: color}, data: values.map((v, i) => [i, v])});
    const figure = element.dataset.figure;
    const series = [];
    if (figure === 'retrieval') {
      series.push(line('before', inside.similarity.before.map(p => p.retrieval), colors.before, 'dashed', 'diamond'), line('after CALM', inside.similarity.after.map(p => p.retrieval), colors.accent, 'solid'));
    } else if (figure === 'recall') {
      inside.recall.forEach((kind, i) => {
        const color = charts.palette(i);
        series.push(line(kind.kind + ', before', kind.before, color, 'dashed', 'diamond'), line(kind.kind + ', after', kind.after, color, 'solid'));
      });
    } else {
      Object.entries(inside.rescue).forEach(([model, rescue]) => {
        const color = model === 'before' ? colors.before : colors.accent;
        series.push(line(model, rescue.right, color, 'solid'), line(model + ', another question’s', rescue.control, color, 'dotted', 'diamond'));
      });
    }
    const top = 16 + 22 * legendLines(series.map(s => s.name), element.clientWidth);
    element.style.height = 190 + top + 'px';
    return base({
      legend: legend({data: series.map(s => s.name)}),
      grid: {left: 4, right: 24, top: top, bottom: 30, containLabel: true},
      tooltip: tooltip({trigger: 'item', formatter: p => 'layer ' + p.value[0] + ': <b>' + percent(p.value[1]) + '</b> (' + escape(p.seriesName) + ')'}),
      xAxis: {type: 'value', min: 0, max: 'dataMax', minInterval: 1, name: 'layer', nameLocation: 'middle', nameGap: 26, nameTextStyle: axisText(), axisLabel: axisText(), axisLine: {lineStyle: {color: colors.line}}, axisTick: {show: false}, splitLine: {show: false}},
      yAxis: shareAxis(),
      series: series});
  }

  // Of measured steps, by step: each pair of languages and their mean, or the margin of each language.
  function gradients(element) {
    const measured = data.gradients.measured;
    const name = key => key.split('_').map(code => data.languages[code] || code).join(' and ');
    const line = (label, points, color) => ({type: 'line', name: label, symbol: 'circle', symbolSize: 6, lineStyle: {color: color, width: 2.5}, itemStyle: {color: color}, data: points});
    const series = [];
    if (element.dataset.figure === 'cosine') {
      series.push({type: 'scatter', name: 'a pair of languages', symbolSize: 5, itemStyle: {color: colors.before, opacity: 0.6},
        data: measured.flatMap(m => Object.entries(m.cosines).map(([key, value]) => ({value: [m.step, value], of: name(key)})))});
      series.push(line('mean', measured.map(m => [m.step, m.mean]), colors.accent));
    } else {
      const spoken = codes.concat([...new Set(measured.flatMap(m => Object.keys(m.margins)))].filter(key => !codes.includes(key)));
      spoken.filter(key => measured.some(m => key in m.margins)).forEach((key, i) =>
        series.push(line(name(key), measured.filter(m => key in m.margins).map(m => [m.step, m.margins[key]]), charts.palette(i))));
    }
    series[0].markLine = {silent: true, symbol: 'none', label: {show: false}, lineStyle: {color: colors.muted, type: 'solid', width: 1}, data: [{yAxis: 0}]};
    const top = 16 + 22 * legendLines(series.map(s => s.name), element.clientWidth);
    element.style.height = 190 + top + 'px';
    return base({
      legend: legend({data: series.map(s => s.name)}),
      grid: {left: 4, right: 24, top: top, bottom: 30, containLabel: true},
      tooltip: tooltip({trigger: 'item', formatter: p => 'step ' + p.value[0] + ': <b>' + p.value[1].toFixed(3) + '</b> (' + escape(p.data.of || p.seriesName) + ')'}),
      xAxis: {type: 'value', min: 0, max: 'dataMax', minInterval: 1, name: 'step', nameLocation: 'middle', nameGap: 26, nameTextStyle: axisText(), axisLabel: Object.assign({hideOverlap: true}, axisText()), axisLine: {onZero: false, lineStyle: {color: colors.line}}, axisTick: {show: false}, splitLine: {show: false}},
      yAxis: {type: 'value', scale: true, axisLine: {show: false}, axisTick: {show: false}, splitNumber: 4, axisLabel: Object.assign({formatter: v => String(+v.toPrecision(4))}, axisText()), splitLine: {lineStyle: {color: colors.line}}},
      series: series});
  }

  function layCurves() {
    const place = document.getElementById('curves');
    if (!place) return [];
    const laid = [];
    for (const run of data.training) {
      for (const [first, label, keys, share] of charts.curveKinds) {
        if (!run.rows.some(row => first in row)) continue;
        const figure = document.createElement('figure');
        const caption = document.createElement('figcaption');
        caption.textContent = run.name + ': ' + label;
        const element = document.createElement('div');
        element.className = 'chart';
        element.setAttribute('role', 'img');
        element.setAttribute('aria-label', run.name + ', ' + label + ' by step');
        figure.append(caption, element);
        place.append(figure);
        laid.push([element, () => charts.curve(keys.map((key, i) => ({name: key.replace('rewards/', ''), key: key, rows: run.rows, color: charts.palette(i)})), share)]);
      }
    }
    return laid;
  }

  // What is wider than the page can be moved by the keyboard, too.
  function reachable() {
    document.querySelectorAll('.scroll').forEach(each => {
      if (each.scrollWidth > each.clientWidth) each.tabIndex = 0;
      else each.removeAttribute('tabindex');
    });
  }

  function draw() {
    readColors();
    reachable();
    for (const each of drawn) {
      each.chart = charts.draw(each.element, each.chart, each.option(each.element));
    }
  }

  function filter(section) {
    const controls = section.querySelector('.filters');
    const cards = [...section.querySelectorAll('.card')];
    const texts = cards.map(card => card.textContent.toLowerCase());
    const apply = () => {
      const kinds = [...controls.querySelectorAll('[name=kind]:checked')].map(box => box.value);
      const language = controls.querySelector('[name=language]').value;
      const text = controls.querySelector('[name=text]').value.trim().toLowerCase();
      let shown = 0;
      cards.forEach((card, i) => {
        card.hidden = !kinds.includes(card.dataset.kind) || language !== '' && card.dataset.language !== language || !texts[i].includes(text);
        shown += card.hidden ? 0 : 1;
      });
      controls.querySelector('output').textContent = shown === cards.length ? '' : shown + ' of ' + cards.length;
    };
    controls.addEventListener('input', apply);
    apply();
  }

  const kinds = {accuracy: accuracy, calibration: calibration, subsets: subsets, languages: languages, layers: layers, gradients: gradients};
  for (const element of document.querySelectorAll('[data-chart]')) drawn.push({element: element, option: kinds[element.dataset.chart]});
  for (const [element, option] of layCurves()) drawn.push({element: element, option: option});
  draw();
  const examples = document.getElementById('examples');
  if (examples) filter(examples);
  const questions = document.getElementById('questions');
  if (questions) {
    const items = [...questions.querySelectorAll('.item')];
    const texts = items.map(item => item.textContent.toLowerCase());
    questions.querySelector('.filters').addEventListener('input', () => {
      const text = questions.querySelector('[name=text]').value.trim().toLowerCase();
      items.forEach((item, i) => { item.hidden = !texts[i].includes(text); });
      const shown = items.filter(item => !item.hidden).length;
      questions.querySelector('output').textContent = shown === items.length ? '' : shown + ' of ' + items.length;
    });
  }

  document.querySelectorAll('details').forEach(each => each.addEventListener('toggle', reachable));
  let waiting = 0;
  charts.onWidth(() => { clearTimeout(waiting); waiting = setTimeout(draw, 120); });
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', draw);
  // Paper is white and has no folds, whatever the screen shows.
  const opened = [];
  window.addEventListener('beforeprint', () => {
    document.querySelectorAll('details:not([open]):not(.item):not(.long)').forEach(each => { each.open = true; opened.push(each); });
    document.documentElement.classList.add('paper');
    draw();
  });
  window.addEventListener('afterprint', () => {
    opened.splice(0).forEach(each => { each.open = false; });
    document.documentElement.classList.remove('paper');
    draw();
  });
})();
