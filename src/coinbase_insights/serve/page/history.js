// What a lake holds: bars with their gaps, how good the forecasts of each hour were, and when there was no data.

import { createChart, CandlestickSeries } from "/lightweight-charts.mjs";
import { chartOptions, colours, Fit, prices } from "/charts.js";

const at = (id) => document.getElementById(id);
const SECONDS = { "1m": 60, "5m": 300, "1h": 3600 };
const PAGES = 12; // Of 10,000 bars: more than a year of five minutes.
const NEWEST = 500; // Rows of the tables.
const BARS = { seconds: false, many: true };
let chart = null;
let candles = null;
let seen = null; // How much of the chart is in sight.
let wanted = ""; // The product that is chosen, before it is known whether the lake has it.
let reading = new AbortController(); // Of what is asked now: a browser has few lines to a server, and what is live needs one.
let isLoading = false;
let shown = null; // The bars, newest first, and whether there are older ones.
const AGAIN = 60000; // Milliseconds after which the lake is asked for what is new,
const SOON = 10000; // and where it had nothing.

// Show what the lake has of a product, or of its first one; `told` hears of each product whose past is shown.
export async function startHistory(product, told = () => {}) {
  wanted = product;
  at("history").hidden = false;
  at("choice").hidden = true;
  at("history-said").textContent ||= "reading …";
  const { products, trouble } = await askLake();
  if (!products.length) {
    at("history-said").textContent = trouble ? `The lake cannot be read: ${trouble}` : "There are no bars in this lake yet: coinbase_insights build makes them.";
    setTimeout(() => startHistory(wanted, told), SOON);
    return;
  }
  at("choice").hidden = false;
  at("past").replaceChildren(...products.map((name) => Object.assign(document.createElement("option"), { value: name, textContent: name })));
  if (products.includes(wanted)) at("past").value = wanted;
  chart = createChart(at("bars"), chartOptions(BARS));
  seen = new Fit(chart, at("bars"));
  const colour = colours();
  candles = chart.addSeries(CandlestickSeries, { upColor: colour.good, downColor: colour.bad, wickUpColor: colour.good, wickDownColor: colour.bad, borderVisible: false });
  at("choice").addEventListener("change", () => load());
  at("past").addEventListener("change", () => told(at("past").value));
  setInterval(() => { if (!document.hidden && !isLoading) load(true); }, AGAIN);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => chart.applyOptions(chartOptions(BARS)));
  told(at("past").value);
  load();
}

async function askLake() {
  try {
    const answer = await fetch("/api/lake");
    const known = await answer.json();
    return answer.ok ? known : { products: [], trouble: known.error };
  } catch {
    return { products: [], trouble: "The server does not answer." };
  }
}

// Show another product's past, where there is one.
export function showPastOf(product) {
  const past = at("past");
  wanted = product;
  if (!chart || past.value === product || ![...past.options].some((option) => option.value === product)) return;
  past.value = product;
  load();
}

async function load(isAgain = false) {
  reading.abort();
  reading = new AbortController();
  const mine = reading;
  isLoading = true;
  const [product, length] = [at("past").value, at("length").value];
  if (!isAgain) {
    shown = null; // What is shown may be of another product: nothing newer may be put in front of it.
    at("history-said").textContent = "reading …";
  }
  showDownloads(product, length);
  try {
    const chosen = { product_id: product, length, columns: "start,open,high,low,close", limit: isAgain ? 1000 : 10000 };
    const bars = await newest("bars", chosen, mine.signal, isAgain ? 1 : PAGES);
    const [scores, gaps] = await Promise.all(["scores", "gaps"].map((table) => newest(table, { product_id: product, limit: NEWEST }, mine.signal)));
    if (mine !== reading) return;
    shown = isAgain ? joined(shown, bars) : bars;
    if (!shown) { load(); return; }
    showBars(shown, length, isAgain);
    showRows("scores", scores, scoreRow, "No hour is over yet.");
    showRows("gaps", gaps, gapRow, "None that is over.");
  } catch (error) {
    if (mine !== reading) return;
    at("history-said").textContent = `The lake cannot be read now, and what is below may be old: ${error.message}`;
  } finally {
    if (mine === reading) isLoading = false;
  }
}

// The newest rows of a table, newest first, and whether there are older ones. Where it is made anew meanwhile, it begins anew.
async function newest(table, values, signal, pages = 1) {
  const found = { rows: [], isAll: true, tableId: "" };
  let coming = fetch(`/api/${table}?${new URLSearchParams({ ...values, order: "desc" })}`, { signal });
  for (let page = 1; coming; page += 1) {
    const answer = await coming;
    const next = /^<([^>]+)>/.exec(answer.headers.get("Link") || "");
    coming = next && page < pages ? fetch(next[1], { signal }) : null; // While this page is read, the server works on the next.
    if (coming) coming.catch(() => {}); // It is heard where it is waited for.
    if (answer.status === 404 && page > 1) return newest(table, values, signal, pages);
    if (answer.status === 404) break; // There is no such table yet.
    const { rows, table_id: tableId, error } = await answer.json();
    if (!answer.ok) throw new Error(error);
    found.tableId = tableId;
    found.rows.push(...rows);
    found.isAll = !next;
  }
  return found;
}

// Put newer rows in front of those that are shown; null where there is a hole between them, or they are of another table.
export function joined(before, newer) {
  if (!before || !before.rows.length || newer.isAll) return newer.isAll ? newer : null;
  if (before.tableId !== newer.tableId) return null;
  const oldest = newer.rows.at(-1).start;
  if (oldest > before.rows[0].start) return null;
  return { rows: [...newer.rows, ...before.rows.filter((row) => row.start < oldest)], isAll: before.isAll, tableId: newer.tableId };
}

function showBars({ rows, isAll }, length, isAgain) {
  const bars = rows.toReversed();
  candles.setData(withGaps(bars, SECONDS[length]));
  candles.applyOptions({ priceFormat: formatOf(bars) });
  if (!isAgain) seen.isFree = false;
  seen.fit();
  const count = `${isAll ? "" : "the newest "}${bars.length.toLocaleString("en-US")} bars`;
  at("history-said").textContent = bars.length ? `${count}, from ${clean(bars[0].start)} to ${clean(bars.at(-1).start)} UTC, as read at ${new Date().toISOString().slice(11, 19)}` : "No bar of this length is over yet.";
}

const seconds = (time) => Date.parse(time) / 1000;
const clean = (time) => time.replace("T", " ").slice(0, 16);

// Where bars are missing there was no data: as many empty places as there would have been bars, up to a day of them.
function withGaps(bars, length) {
  const found = [];
  let before = null;
  for (const bar of bars) {
    const time = seconds(bar.start);
    if (before !== null) for (let missing = before + length; missing < time && found.length < 200000 && missing - before < 86400; missing += length) found.push({ time: missing });
    found.push({ time, open: bar.open, high: bar.high, low: bar.low, close: bar.close });
    before = time;
  }
  return found;
}

// Decimals of a number; its last digits may be what is left of reckoning.
export function placesOf(number) {
  const [digits, exponent] = Number(number.toPrecision(13)).toExponential().split("e");
  return Math.max(0, (digits.split(".")[1] || "").length - Number(exponent));
}

function formatOf(bars) {
  return prices(Math.min(11, Math.max(2, ...bars.slice(-50).map((bar) => placesOf(bar.close)))));
}

function showRows(id, { rows, isAll }, make, nothing) {
  const body = at(id);
  body.replaceChildren(...rows.map(make));
  const said = rows.length ? (isAll ? "" : `These are the newest ${rows.length}; the API has the others.`) : nothing;
  if (!said) return;
  const cell = body.insertRow().insertCell();
  cell.colSpan = 9;
  cell.textContent = said;
}

function rowOf(texts, numbersFrom) {
  const row = document.createElement("tr");
  texts.forEach(([text, kind], number) => {
    const cell = row.insertCell();
    cell.textContent = text;
    cell.className = `${number >= numbersFrom ? "number" : ""} ${kind || ""}`.trim();
  });
  return row;
}

const percent = (value, places) => (value === null ? "—" : `${(100 * value).toFixed(places)} %`);

function scoreRow(score) {
  const isSure = score.p_value !== null && score.p_value < 0.05;
  const kind = isSure && score.skill !== null ? (score.skill > 0 ? "better" : "worse") : "";
  const p = score.p_value === null ? "—" : score.p_value < 0.001 ? "<0.001" : score.p_value.toFixed(3);
  return rowOf([[clean(score.hour)], [score.scored.toLocaleString("en-US")], [percent(score.skill, 2), kind], [p], [percent(score.band_hit_rate, 1)]], 1);
}

function gapRow(gap) {
  const length = gap.end === null ? "not known" : (seconds(gap.end) - seconds(gap.start)).toLocaleString("en-US", { maximumFractionDigits: 1 });
  const row = rowOf([[gap.start.replace("T", " ").slice(0, 19)], [length], [gap.cause]], 1);
  row.cells[2].className = "";
  return row;
}

function showDownloads(product, length) {
  const links = [["CSV", "csv"], ["Parquet", "parquet"], ["Arrow", "arrow"]].map(([name, format]) => {
    const query = new URLSearchParams({ product_id: product, length, order: "desc", limit: "10000", format });
    return Object.assign(document.createElement("a"), { href: `/api/bars?${query}`, textContent: name, download: `bars-${product}-${length}.${format}` });
  });
  at("downloads").replaceChildren("Newest 10,000 bars: ", ...links.flatMap((link) => [link, " "]));
}
