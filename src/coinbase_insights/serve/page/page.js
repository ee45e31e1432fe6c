// The page: hears the server's frames, puts each text in its place, and says at once when it hears nothing any more.
// Nothing that comes is ever read as HTML, and no figure is computed here.

import { LiveCharts } from "/charts.js";
import { showPastOf, startHistory } from "/history.js";

const SILENCE = 3500; // Milliseconds without a frame, after which nothing may be shown as current.
const at = (id) => document.getElementById(id);
const TEXTS = ["best_bid", "best_ask", "spread", "max_spread", "forecast"];

let [chosen] = (new URLSearchParams(location.search).get("product") || "").toUpperCase().match(/^[A-Z0-9]{1,20}-[A-Z0-9]{1,20}$/) || [""];
let line = null; // Aborts the stream that is listened to; null while there is none.
let heardAt = 0;
let triedAt = 0;
let refused = ""; // Why the server gives nothing, in its own words.
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
  const counts = [`since ${frame.since}`, counted(frame.quotes, "quote"), `${grouped(frame.missed)} missed`, counted(frame.reconnects, "reconnect")];
  if (frame.bad) counts.push(`${grouped(frame.bad)} bad`);
  if (frame.duplicates) counts.push(counted(frame.duplicates, "duplicate"));
  put("counts", counts.join(" · "));
  showNotes(frame.notes);
  showProducts(frame.products);
  if (frame.figures) showFigures(frame.figures);
  else if (at("product").textContent !== "—") leave();
}

const grouped = (count) => count.toLocaleString("en-US");
const counted = (count, one) => `${grouped(count)} ${one}${count === 1 ? "" : "s"}`;

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
  row.className = name === chosen ? "chosen" : "";
  button.setAttribute("aria-current", String(name === chosen));
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
  if (chosen === productId && line) return;
  remember(productId);
  charts.clear();
  showPastOf(productId);
  listen();
}

function remember(productId) {
  chosen = productId;
  history.replaceState(null, "", `?product=${encodeURIComponent(productId)}`);
}

async function fill() {
  const wanted = chosen;
  if (!wanted) return;
  try {
    const { points } = await (await ask(`/api/chart/${encodeURIComponent(wanted)}`)).json();
    if (wanted === chosen) charts.fill(points);
  } catch { /* The watch over silence says it. */ }
}

function listen() {
  triedAt = performance.now();
  if (line) line.abort();
  const mine = new AbortController();
  line = mine;
  hear(mine).catch((error) => { if (mine === line) refused = error instanceof Refused ? error.message : ""; }).finally(() => {
    if (mine !== line) return;
    setTimeout(() => { if (mine === line) listen(); }, wait);
    wait = Math.min(wait * 1.7, 5000);
  });
}

// Not an EventSource, which does not tell why it was refused; of several frames that come at once, the newest is shown.
async function hear(mine) {
  const answer = await ask(`/api/stream?product_id=${encodeURIComponent(chosen)}`, mine.signal);
  wait = 500;
  charts.clear(); // Until now it showed what was last known; the server may have begun anew.
  fill();
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  for (let kept = ""; ;) {
    const { value, done } = await reader.read();
    if (done || mine !== line) return;
    const frames = (kept + value).split("\n\n");
    kept = frames.pop();
    if (!frames.length) continue;
    heardAt = performance.now();
    refused = "";
    show(JSON.parse(frames.at(-1).slice("data: ".length)));
  }
}

class Refused extends Error {}

async function ask(address, signal) {
  const answer = await fetch(address, { signal });
  if (answer.ok) return answer;
  const { error } = await answer.json().catch(() => ({ error: `answer ${answer.status}` }));
  throw new Refused(error);
}

// A page that nobody sees lets its line go: a browser has few for each server.
function sleepOrWake() {
  if (!document.hidden) { heardAt = performance.now(); listen(); return; }
  line.abort();
  line = null;
  forget("PAUSED", "■ PAUSED", "while nobody looks");
}

function watchOverSilence() {
  const silence = performance.now() - heardAt;
  if (silence < SILENCE || document.hidden) return;
  if (performance.now() - triedAt > 2 * SILENCE) listen(); // A line may be dead and not closed.
  const since = heardAt ? `The server has been silent for ${Math.round(silence / 1000)} s` : "The server does not answer";
  forget("NO SERVER", refused ? "■ REFUSED" : "■ NO SERVER", `${refused ? `The server says: ${refused}` : since}. No figure below is current.`);
}

// Nothing that was shown is current any more.
function forget(state, word, why) {
  setState(state, word, why, false);
  put("now", "—");
  takeAway();
}

// The product that was shown is no longer here: another member of the group has it.
function leave() {
  takeAway();
  ["product", "max_spread"].forEach((name) => put(name, "—"));
  ["own", "max_spread_time", "why"].forEach((name) => put(name, ""));
  at("known").hidden = true;
  document.querySelectorAll("#windows tbody td").forEach((cell) => { cell.textContent = cell.textContent && "—"; });
  charts.clear();
}

function takeAway() {
  ["best_bid", "best_ask", "spread", "forecast", "mid_price", "best_bid_size", "best_ask_size"].forEach((name) => put(name, "—"));
  ["band", "target_time", "held"].forEach((name) => put(name, ""));
  put("skill", "waiting for data");
  document.querySelectorAll("#rows td").forEach((cell) => { cell.textContent = "—"; });
  document.querySelectorAll("#windows tbody tr td:nth-child(2)").forEach((cell) => { cell.textContent = cell.textContent && "—"; });
}

async function start() {
  const known = await (await ask("/api/products")).json();
  if (!known.has_live) {
    ["figures", "clock", "counts"].forEach((id) => { at(id).hidden = true; });
    setState("HISTORY", "■ HISTORY", "of a lake; nothing is live", true);
    startHistory(chosen, (productId) => { remember(productId); setState("HISTORY", "■ HISTORY", "of a lake; nothing is live", true); });
    return;
  }
  if (known.has_lake) startHistory(chosen); // It may take long; what is live does not wait for it.
  charts = new LiveCharts(at("price"));
  heardAt = performance.now();
  listen();
  setInterval(watchOverSilence, 500);
  setInterval(fill, 60000);
  document.addEventListener("visibilitychange", sleepOrWake);
  if (document.hidden) sleepOrWake();
}

function tryToStart() {
  start().catch((error) => {
    const isRefused = error instanceof Refused;
    const why = isRefused ? `The server says: ${error.message}.` : "The server does not answer. Trying again.";
    setState("NO SERVER", isRefused ? "■ REFUSED" : "■ NO SERVER", why, false);
    setTimeout(tryToStart, 2000);
  });
}

tryToStart();
