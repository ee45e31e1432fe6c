// The live charts: mid-price with the forecasts drawn at the times they were for, and three strips below it.

import { createChart, createTextWatermark, LineSeries, AreaSeries, BaselineSeries, LineStyle, CrosshairMode, customSeriesDefaultOptions } from "/lightweight-charts.mjs";

const HORIZON = 60; // Seconds.
const SHOWN = 900; // Seconds, as the terminal's chart.
const MOST = 7200; // Seconds that can be seen when the chart is moved.
const LONGEST_QUIET = 120; // Seconds without a quote, after which a line is broken; it is at every gap too.

export function colours() {
  const style = getComputedStyle(document.documentElement);
  const of = (name) => style.getPropertyValue(name).trim();
  return { ink: of("--soft"), grid: of("--edge"), card: of("--card"), mid: of("--mid"), forecast: of("--forecast"), good: of("--good"), bad: of("--bad") };
}

const TITLES = ["Difference", "Skill, 15 min: above 0 is better", "90 % band held, 15 min"];

const titleOf = (text, colour) => ({ horzAlign: "left", vertAlign: "top", lines: [{ text, color: colour.ink, fontSize: 12 }] });

export const prices = (places) => ({ type: "custom", minMove: 10 ** -places, formatter: (value) => value.toLocaleString("en-US", { minimumFractionDigits: places, maximumFractionDigits: places }) });

const percents = (places) => ({ type: "custom", minMove: 10 ** -places, formatter: (value) => `${value.toFixed(places)} %` });

const skillColours = (colour) => ({ topLineColor: colour.good, bottomLineColor: colour.bad, topFillColor1: `${colour.good}44`, topFillColor2: `${colour.good}11`, bottomFillColor1: `${colour.bad}11`, bottomFillColor2: `${colour.bad}44` });

// Where bars are narrower than half a pixel, those that share one are drawn as one: `has.many` of them.
export function chartOptions(has) {
  const colour = colours();
  return {
    autoSize: true,
    layout: { background: { color: colour.card }, textColor: colour.ink, attributionLogo: false, panes: { separatorColor: colour.grid, enableResize: false }, fontFamily: "system-ui, sans-serif" },
    grid: { vertLines: { color: colour.grid }, horzLines: { color: colour.grid } },
    rightPriceScale: { borderColor: colour.grid, minimumWidth: 92 },
    timeScale: { borderColor: colour.grid, timeVisible: true, secondsVisible: has.seconds, rightOffset: 2, minBarSpacing: 0.002, enableConflation: has.many === true },
    crosshair: { mode: CrosshairMode.Normal },
    handleScroll: { vertTouchDrag: false },
    localization: { locale: "en-GB" },
  };
}

// What a point has from which no line goes on: the library draws from a point to the next in the colour of the first.
const HIDDEN = Object.fromEntries(["color", "lineColor", "topColor", "bottomColor", "topLineColor", "bottomLineColor", "topFillColor1", "topFillColor2", "bottomFillColor1", "bottomFillColor2"].map((name) => [name, "transparent"]));

// The band of the forecasts: a filled strip between its two ends. A custom series, as the library's own have no second line.
export class BandSeries {
  renderer() { return this; }
  update(data, options) { this.data = data; this.options = options; }
  priceValueBuilder(point) { return [point.low, point.high]; }
  isWhitespace(point) { return point.low === undefined; }
  defaultOptions() { return { ...customSeriesDefaultOptions, colour: "#000" }; }
  draw(target, toY) {
    const { data, options } = this;
    if (!data || !data.visibleRange) return;
    target.useBitmapCoordinateSpace(({ context, horizontalPixelRatio, verticalPixelRatio }) => {
      context.globalAlpha = 0.2;
      context.fillStyle = options.colour;
      let run = [];
      const fill = () => {
        if (run.length > 1) {
          context.beginPath();
          run.forEach(([x, low]) => context.lineTo(x, low));
          run.reverse().forEach(([x, , high]) => context.lineTo(x, high));
          context.fill();
        }
        run = [];
      };
      for (let i = Math.max(0, data.visibleRange.from - 1); i < Math.min(data.bars.length, data.visibleRange.to + 1); i += 1) {
        const { x, originalData } = data.bars[i];
        run.push([x * horizontalPixelRatio, toY(originalData.low) * verticalPixelRatio, toY(originalData.high) * verticalPixelRatio]);
        if (!originalData.goesOn) fill(); // Places without a value are not among the bars.
      }
      fill();
    });
  }
}

// Keeps all of a chart in sight, however wide it becomes, until somebody has moved it: then it stays where it was put.
export class Fit {
  constructor(chart, element) {
    this.chart = chart;
    this.isFree = false;
    ["pointerdown", "wheel"].forEach((name) => element.addEventListener(name, () => { this.isFree = true; }, { passive: true }));
    new ResizeObserver(() => requestAnimationFrame(() => this.fit())).observe(element);
  }

  fit() { if (!this.isFree) this.chart.timeScale().fitContent(); }
}

export class LiveCharts {
  constructor(element) {
    this.chart = createChart(element, chartOptions({ seconds: true }));
    const colour = colours();
    const calm = { priceLineVisible: false, crosshairMarkerVisible: false };
    const add = (kind, options, pane) => this.chart.addSeries(kind, { ...calm, ...options }, pane);
    this.axis = add(LineSeries, { lastValueVisible: false }, 0); // Has every second and no value, so that time is even.
    this.band = this.chart.addCustomSeries(new BandSeries(), { ...calm, lastValueVisible: false, colour: colour.forecast });
    this.forecast = add(LineSeries, { color: colour.forecast, lineWidth: 2, lineStyle: LineStyle.Dashed }, 0);
    this.mid = add(LineSeries, { color: colour.mid, lineWidth: 2 }, 0);
    this.spread = add(AreaSeries, { lineColor: colour.mid, topColor: `${colour.mid}55`, bottomColor: `${colour.mid}11`, lineWidth: 1 }, 1);
    this.skill = add(BaselineSeries, { ...skillColours(colour), baseValue: { type: "price", price: 0 }, lineWidth: 1, priceFormat: percents(1) }, 2);
    this.held = add(LineSeries, { color: colour.forecast, lineWidth: 2, priceFormat: percents(0), autoscaleInfoProvider: () => ({ priceRange: { minValue: 0, maxValue: 100 } }) }, 3);
    this.promise = this.held.createPriceLine({ price: 90, color: colour.ink, lineStyle: LineStyle.Dotted, lineWidth: 1, axisLabelVisible: false });
    this.titles = TITLES.map((text, number) => createTextWatermark(this.chart.panes()[number + 1], titleOf(text, colour)));
    this.chart.panes().forEach((pane, number) => pane.setStretchFactor(number ? 1 : 4));
    this.points = [];
    this.decimals = -1;
    this.seen = new Fit(this.chart, element); // Once somebody has moved it, it shows more.
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.recolour());
  }

  recolour() {
    const colour = colours();
    this.chart.applyOptions(chartOptions({ seconds: true }));
    this.mid.applyOptions({ color: colour.mid });
    this.forecast.applyOptions({ color: colour.forecast });
    this.band.applyOptions({ colour: colour.forecast });
    this.spread.applyOptions({ lineColor: colour.mid, topColor: `${colour.mid}55`, bottomColor: `${colour.mid}11` });
    this.held.applyOptions({ color: colour.forecast });
    this.promise.applyOptions({ color: colour.ink });
    this.skill.applyOptions(skillColours(colour));
    this.titles.forEach((title, number) => title.applyOptions(titleOf(TITLES[number], colour)));
  }

  clear() {
    this.points = [];
    this.draw();
  }

  // What the server has kept, and behind it what has come since it answered; one point a second.
  fill(points) {
    const last = points.length ? points.at(-1)[0] : -1;
    const newer = this.points.filter((point) => point[0] > last);
    if (points.length && newer.length && second(points.at(-1)) === second(newer[0])) points.pop();
    this.points = [...points, ...newer];
    this.draw();
  }

  add(point, decimals) {
    if (decimals !== this.decimals) {
      this.decimals = decimals;
      const format = (places) => ({ priceFormat: prices(places) });
      [this.axis, this.mid, this.forecast, this.band].forEach((series) => series.applyOptions(format(decimals + 1)));
      this.spread.applyOptions(format(decimals));
    }
    const newest = this.points.at(-1);
    if (newest && newest[0] >= point[0]) return;
    if (newest && second(newest) === second(point)) this.points.pop();
    this.points.push(point);
    if (this.points.length > 4000) this.points.shift();
    this.draw();
  }

  // Few points, a few times a second at most: all are set, so that breaks and corrections are right.
  draw() {
    if (this.isDue) return;
    this.isDue = true;
    requestAnimationFrame(() => {
      this.isDue = false;
      const since = this.points.length ? this.points.at(-1)[0] - (this.seen.isFree ? MOST : SHOWN) * 1e6 : 0;
      const points = this.points.filter((point) => point[0] > since);
      this.axis.setData(secondsOf(points));
      this.mid.setData(line(points, 0, (point) => point[1]));
      this.forecast.setData(line(points, HORIZON, (point) => point[3]));
      this.band.setData(bandOf(points));
      this.spread.setData(line(points, 0, (point) => point[2]));
      this.skill.setData(line(points, 0, (point) => (point[8] === null ? undefined : 100 * point[8])));
      this.held.setData(line(points, 0, (point) => (point[9] === null ? undefined : 100 * point[9])));
      this.seen.fit();
    });
  }
}

const second = (point) => Math.floor(point[0] / 1e6);

function secondsOf(points) {
  if (!points.length) return [];
  const first = second(points[0]);
  return Array.from({ length: second(points.at(-1)) + HORIZON - first + 1 }, (_, number) => ({ time: first + number }));
}

// Whether nothing is known between two points that follow each other.
function isApart(before, point) {
  return second(point) - second(before) > LONGEST_QUIET || point[10] !== before[10];
}

// A line through points, drawn so many seconds later than they are; it ends where nothing is known, and begins again.
export function line(points, later, value) {
  return points.map((point, number) => {
    const time = second(point) + later;
    const [found, next] = [value(point), points[number + 1]];
    if (found === undefined) return { time };
    const goesOn = next === undefined || (!isApart(point, next) && value(next) !== undefined);
    return goesOn ? { time, value: found } : { time, value: found, ...HIDDEN };
  });
}

// The band of the forecasts; each of its points tells whether it goes on to the next.
export function bandOf(points) {
  return points.map((point, number) => {
    const [time, next] = [second(point) + HORIZON, points[number + 1]];
    if (point[4] === null) return { time };
    return { time, low: point[4], high: point[5], goesOn: next !== undefined && !isApart(point, next) && next[4] !== null };
  });
}
