// The page: hears the server's frames, puts each text in its place, and says at once when it hears nothing any more.
// Nothing that comes is ever read as HTML, and no figure is computed here.

import { LiveCharts } from "/charts.js";
import { startHistory } from "/history.js";

const SILENCE = 3500; // Milliseconds without a frame, after which nothing may be shown as current.
const at = (id) => document.getElementById(id);
const TEXTS = ["best_bid", "best_ask", "spread", "max_spread", "forecast"];

let chosen = new URLSearchParams(location.search).get("product") || "";
let source = null;
let heardAt = 0;
let triedAt = 0;
let charts = null;
let wait = 500;

function put(id, text) {
  const element = at(id);
  if (element.textContent !== text) element.textContent = text;
}

function show(frame) {
  const speed = frame.speed && !["STALE", "ENDED"].includes(frame.state) ? ` ${frame.speed}` : "";
  setState(frame.state, `${frame.symbol} ${frame.state}${speed}`, frame.detail, frame.is_live);
  put("now", frame.now);
  const counts = [`since ${frame.since}`, `${grouped(frame.quotes)} quotes`, `${grouped(frame.missed)} missed`, `${grouped(frame.reconnects)} reconnects`];
  if (frame.bad) counts.push(`${grouped(frame.bad)} bad`);
  if (frame.duplicates) counts.push(`${grouped(frame.duplicates)} duplicates`);
  put("counts", counts.join(" · "));
  showNotes(frame.notes);
  showProducts(frame.products);
  if (frame.figures) showFigures(frame.figures);
}

const grouped = (count) => count.toLocaleString("en-US");

function setState(state, word, detail, isLive) {
  document.body.dataset.state = state;
  document.body.classList.toggle("not-live", !isLive);
  put("word", word);
  put("detail", detail);
  put("spoken", `${state}${isLive ? "" : ": no figure is current"}`); // Said aloud only when it changes.
  const alarm = { STALE: `${word}: ${detail}. No figure below is current.`, "NO SERVER": detail }[state] || "";
  put("alarm", alarm);
  at("alarm").hidden = !alarm;
  document.title = `${word} ${chosen}`.trim();
}

function showNotes(notes) {
  const list = at("notes");
  list.hidden = !notes.length;
  if (list.dataset.said === notes.join("\n")) return;
  list.dataset.said = notes.join("\n");
  list.replaceChildren(...notes.map((note) => Object.assign(document.createElement("li"), { textContent: note })));
}

function showProducts(products) {
  at("products").hidden = products.length < 2;
  if (products.length && !products.some((product) => product.product_id === chosen)) choose(products[0].product_id);
  if (products.length < 2) return;
  const body = at("rows");
  while (body.rows.length > products.length) body.deleteRow(-1);
  products.forEach((product, number) => showRow(body.rows[number] || newRow(body), product));
}

function newRow(body) {
  const row = body.insertRow();
  const head = document.createElement("th");
  const button = document.createElement("button");
  head.scope = "row";
  button.type = "button";
  button.addEventListener("click", () => choose(button.textContent));
  head.append(button);
  row.append(head);
  for (let number = 0; number < 9; number += 1) row.insertCell().className = number ? "number" : "";
  return row;
}

function showRow(row, product) {
  const [name, ...values] = [product.product_id, product.state, product.best_bid, product.best_ask, product.spread, product.max_spread, product.mean_15m, product.forecast, product.error_15m, product.baseline_15m];
  const button = row.cells[0].firstChild;
  if (button.textContent !== name) button.textContent = name;
  row.setAttribute("aria-current", String(name === chosen));
  values.forEach((value, number) => {
    if (row.cells[number + 1].textContent !== value) row.cells[number + 1].textContent = value;
  });
}

function showFigures(figures) {
  if (figures.product_id !== chosen) return;
  put("product", figures.product_id);
  put("own", figures.state.length > 1 ? figures.state : "");
  TEXTS.forEach((name) => put(name, figures[name]));
  ["best_bid_size", "best_ask_size"].forEach((name) => put(name, figures[name] === "—" ? "—" : `${figures[name]} ${figures.base_currency}`));
  put("max_spread_time", figures.max_spread_time ? `at ${figures.max_spread_time}` : "");
  put("mid_price", figures.windows.mid_price[0]);
  put("band", figures.band ? `± ${figures.band}` : "");
  put("target_time", figures.target_time ? `at ${figures.target_time},` : "");
  put("skill", figures.skill);
  at("skill").className = figures.verdict || "";
  put("held", figures.held ? `· ${figures.held}` : "");
  put("known", figures.last_known);
  at("known").hidden = !figures.last_known;
  put("why", figures.why_no_error ? `No forecast error now: ${figures.why_no_error}.` : "");
  for (const [name, texts] of Object.entries(figures.windows)) {
    const cells = at(`w-${name}`).querySelectorAll("td");
    texts.forEach((text, number) => { if (cells[number].textContent !== text) cells[number].textContent = text; });
  }
  if (figures.point && charts) charts.add(figures.point, figures.decimals);
}

function choose(productId) {
  if (chosen === productId && source) return;
  chosen = productId;
  history.replaceState(null, "", `?product=${encodeURIComponent(productId)}`);
  listen();
}

async function fill() {
  const wanted = chosen;
  if (!wanted) return;
  try {
    const answer = await fetch(`/api/chart/${encodeURIComponent(wanted)}`);
    if (!answer.ok) return;
    const { points } = await answer.json();
    if (wanted === chosen) charts.fill(points);
  } catch { /* The watch over silence says it. */ }
}

function listen() {
  triedAt = performance.now();
  if (source) source.close();
  if (charts) charts.clear();
  source = new EventSource(`/api/stream?product_id=${encodeURIComponent(chosen)}`);
  const mine = source;
  mine.addEventListener("open", () => { wait = 500; fill(); });
  mine.addEventListener("message", (event) => {
    if (mine !== source) return;
    heardAt = performance.now();
    show(JSON.parse(event.data));
  });
  mine.addEventListener("error", () => {
    if (mine !== source) return;
    mine.close();
    setTimeout(() => { if (mine === source) listen(); }, wait);
    wait = Math.min(wait * 1.7, 5000);
  });
}

function watchOverSilence() {
  const silence = performance.now() - heardAt;
  if (silence < SILENCE) return;
  if (performance.now() - triedAt > 2 * SILENCE) listen(); // A line may be dead and not closed.
  const since = heardAt ? `The server has been silent for ${Math.round(silence / 1000)} s` : "The server does not answer";
  setState("NO SERVER", "■ NO SERVER", `${since}. No figure below is current.`, false);
  ["best_bid", "best_ask", "spread", "forecast", "mid_price", "best_bid_size", "best_ask_size"].forEach((name) => put(name, "—"));
  ["band", "target_time", "held"].forEach((name) => put(name, ""));
  put("skill", "waiting for data");
  document.querySelectorAll("#rows td").forEach((cell) => { cell.textContent = "—"; });
  document.querySelectorAll("#windows tbody tr td:nth-child(2)").forEach((cell) => { cell.textContent = cell.textContent && "—"; });
}

async function start() {
  const answer = await fetch("/api/products");
  if (!answer.ok) throw new Error(String(answer.status));
  const known = await answer.json();
  if (known.has_lake) startHistory(known.lake, chosen, known.lake_trouble);
  if (!known.has_live) {
    at("figures").hidden = true;
    setState("HISTORY", "■ HISTORY", "of a lake; nothing is live", true);
    return;
  }
  charts = new LiveCharts(at("price"));
  heardAt = performance.now();
  listen();
  setInterval(watchOverSilence, 500);
  setInterval(fill, 60000);
}

function tryToStart() {
  start().catch(() => {
    setState("NO SERVER", "■ NO SERVER", "The server does not answer. Trying again.", false);
    setTimeout(tryToStart, 2000);
  });
}

tryToStart();
