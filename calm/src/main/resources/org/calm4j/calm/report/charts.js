const charts = (function () {
  'use strict';
  const colors = {};

  function readColors() {
    const style = getComputedStyle(document.documentElement);
    const get = name => style.getPropertyValue('--' + name).trim();
    Object.assign(colors, {ink: get('ink'), muted: get('muted'), line: get('line'), panel: get('panel'), accent: get('accent'), before: get('before'), bad: get('bad'),
      series: [1, 2, 3, 4, 5].map(i => get('series-' + i))});
  }

  const percent = v => (100 * v).toFixed(1) + ' %';
  const escape = s => String(s).replace(/[&<>"']/g, c => '&#' + c.charCodeAt(0) + ';');
  const axisText = () => ({color: colors.muted, fontSize: 12});
  const splitLine = () => ({lineStyle: {color: colors.line}});
  const shareAxis = more => Object.assign({type: 'value', min: 0, max: 1, interval: 0.2, axisLabel: Object.assign({formatter: v => Math.round(100 * v) + ' %'}, axisText()),
    splitLine: splitLine(), axisLine: {show: false}, axisTick: {show: false}}, more);
  const tooltip = more => Object.assign({backgroundColor: colors.panel, borderColor: colors.line, textStyle: {color: colors.ink, fontSize: 13}, confine: true}, more);
  const legend = more => Object.assign({type: 'plain', textStyle: {color: colors.ink, fontSize: 12}, itemHeight: 10, itemWidth: 16, itemGap: 14, top: 0, left: 0}, more);
  const base = more => Object.assign({animation: false, textStyle: {fontFamily: getComputedStyle(document.body).fontFamily}}, more);

  const palette = i => [colors.accent].concat(colors.series)[i % (1 + colors.series.length)];

  // The key that must be there, the label, the keys that are drawn, and whether they are shares.
  const curveKinds = [
    ['loss', 'loss', ['loss']], ['eval_loss', 'evaluation loss', ['eval_loss']],
    ['rewards/margins', 'reward margin', ['rewards/margins']],
    ['rewards/accuracies', 'reward accuracy', ['rewards/accuracies'], true],
    ['rewards/chosen', 'rewards', ['rewards/chosen', 'rewards/rejected']],
    ['grad_norm', 'gradient norm', ['grad_norm']], ['learning_rate', 'learning rate', ['learning_rate']]];

  function smooth(values, reach) {
    return values.map((_, i) => {
      const near = values.slice(Math.max(0, i - reach), i + reach + 1).filter(v => v !== null);
      return near.length ? near.reduce((a, b) => a + b, 0) / near.length : null;
    });
  }

  // Lines of {name, key, rows, color, type}: a value of rows over their steps, smoothed where there are many.
  function curve(lines, share) {
    const series = [];
    for (const line of lines) {
      const points = line.rows.map((row, i) => [row.step === undefined ? i + 1 : row.step, typeof row[line.key] === 'number' ? row[line.key] : null]);
      const known = points.filter(p => p[1] !== null);
      // What is logged now and then is joined over the steps between.
      const shown = known.length < points.length / 2 ? known : points;
      const values = shown.map(p => p[1]);
      const smoothed = line.key !== 'learning_rate' && values.length >= 20;
      if (smoothed) {
        series.push({type: 'line', silent: true, symbol: 'none', lineStyle: {color: line.color, width: 1, opacity: 0.28}, data: shown, tooltip: {show: false}});
      }
      const even = smoothed ? smooth(values, Math.ceil(values.length / 50)) : values;
      series.push({type: 'line', name: line.name, symbol: values.length < 2 ? 'circle' : 'none', lineStyle: {color: line.color, width: 2, type: line.type || 'solid'}, itemStyle: {color: line.color},
        data: shown.map((p, i) => [p[0], even[i]])});
    }
    const names = new Set(lines.map(line => line.name));
    return base({
      legend: lines.length > 1 ? legend({type: 'scroll', data: lines.map(line => line.name), icon: 'rect', itemHeight: 3}) : undefined,
      grid: {left: 4, right: 14, top: lines.length > 1 ? 30 : 12, bottom: 4, containLabel: true},
      tooltip: tooltip({trigger: 'axis', formatter: ps => 'step ' + ps[0].value[0] + ps.filter(p => names.has(p.seriesName))
        .map(p => '<br>' + escape(p.seriesName) + ' <b>' + (p.value[1] === null ? '–' : Number(p.value[1]).toPrecision(4)) + '</b>').join('')}),
      xAxis: {type: 'value', min: 'dataMin', max: 'dataMax', splitNumber: 4, axisLabel: Object.assign({hideOverlap: true, showMinLabel: false, alignMaxLabel: 'right'}, axisText()), splitLine: {show: false}, axisLine: {onZero: false, lineStyle: {color: colors.line}}},
      yAxis: share ? shareAxis() : {type: 'value', scale: true, axisLine: {show: false}, axisTick: {show: false}, splitNumber: 4, axisLabel: Object.assign({formatter: v => v !== 0 && Math.abs(v) < 0.01 ? v.toExponential() : String(+v.toPrecision(4))}, axisText()), splitLine: splitLine()},
      series: series});
  }

  // ECharts with a drawing that keeps its proportions when it shrinks, on paper for one.
  function draw(element, chart, option) {
    const drawing = chart || echarts.init(element, null, {renderer: 'svg'});
    // On paper the stylesheet scales the drawing that is there.
    if (!matchMedia('print').matches) drawing.resize();
    drawing.setOption(option, true);
    const svg = element.querySelector('svg');
    svg.setAttribute('viewBox', '0 0 ' + svg.getAttribute('width') + ' ' + svg.getAttribute('height'));
    return drawing;
  }

  // Redraws when the page gets another width: not while a phone's bars come and go, and not for window.innerWidth, which a drawing that is too wide stretches.
  function onWidth(redraw) {
    let width = document.documentElement.clientWidth;
    new ResizeObserver(() => {
      if (document.documentElement.clientWidth === width) return;
      width = document.documentElement.clientWidth;
      redraw();
    }).observe(document.documentElement);
  }

  return {colors, readColors, percent, escape, axisText, shareAxis, tooltip, legend, base, palette, curveKinds, curve, draw, onWidth};
})();
