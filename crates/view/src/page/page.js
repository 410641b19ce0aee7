// Asks for what is new, again and again, and shows it.

import { draw } from "./picture.js";
import { legend, plot } from "./plot.js";
import { canMark, mark, playback } from "./control.js";

const $ = id => document.getElementById(id);
const layers = new Set(["boxes", "tracks", "regions", "horizon"]);
const utf8 = new TextDecoder();
const KEPT = 120;
let run = 0, after = 0, seconds = [], stages = [], views = [];

function element(name, content, attributes = {}) {
  const made = document.createElement(name);
  made.append(...[content].flat());
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

/** Makes the figure of a camera. */
function figure(name, index) {
  const canvas = element("canvas", [], { role: "img", "aria-label": `Picture of ${name}` });
  const about = document.createElement("span");
  const button = element("button", "Mark this frame", { type: "button", hidden: "" });
  const box = element("figure", [canvas, element("figcaption", [element("b", name), " ", about, " ", button])]);
  $("cameras").append(box);
  const view = { canvas, about, button, bitmap: null, scene: null };
  button.addEventListener("click", () => mark(index, view.scene.stamp));
  return view;
}

function redraw(view) {
  if (view.bitmap) draw(view.canvas, view.bitmap, view.scene, layers);
}

const counted = counts => {
  const all = Object.entries(counts);
  const sum = all.reduce((sum, [, count]) => sum + count, 0);
  return all.length ? `${sum}: ${all.map(([why, count]) => `${why} ${count}`).join(", ")}` : "0";
};

function describe({ size, stamp, boxes, faults }) {
  const [sec, nanosec] = stamp;
  return `${size[0]} × ${size[1]}, stamp ${sec}.${String(nanosec).padStart(9, "0")}, ${boxes.length} found `;
}

async function showPicture(view, scene, jpeg) {
  const bitmap = await createImageBitmap(new Blob([jpeg], { type: "image/jpeg" })).catch(() => null);
  if (!bitmap) return;
  view.bitmap?.close();
  [view.bitmap, view.scene] = [bitmap, scene];
  view.about.replaceChildren(describe(scene));
  if (scene.faults.length) view.about.append(element("span", scene.faults.join(", "), { class: "fault" }));
  view.button.hidden = !canMark();
  redraw(view);
  view.canvas.dataset.stamp = scene.stamp.join(".");
}

function showNearest() {
  const tracks = views.flatMap(view => view.scene?.tracks ?? []);
  const least = key => tracks.filter(t => t[key] !== undefined).sort((a, b) => a[key] - b[key])[0];
  const [near, soon] = [least("distance_m"), least("collision_s")];
  const texts = [];
  if (near) texts.push(`${near.label} #${near.id} at ${near.distance_m.toFixed(1)} m`);
  if (soon) texts.push(`${soon.label} #${soon.id} is reached in ${soon.collision_s.toFixed(1)} s`);
  $("near").textContent = texts.join("; ") || "No distance is known: it needs a calibrated camera.";
}

function showProviders(providers) {
  const items = providers.map(({ provider, used, reason, failures }) => {
    const state = element("span", used ? "used" : "not used", used ? { class: "used" } : {});
    const failed = failures ? `, failed ${failures} ×` : "";
    return element("li", [element("b", provider), " ", state, failed, reason ? `: ${reason}` : ""]);
  });
  $("providers").replaceChildren(...(items.length ? items : [element("li", "none yet", { class: "soft" })]));
}

function showLog(lines) {
  const items = lines.toReversed().map(({ time_ms, is_error, text, times }) => {
    const time = element("time", new Date(time_ms).toLocaleTimeString());
    return element("li", [time, times > 1 ? ` ${times} × ` : " ", text], is_error ? { class: "error" } : {});
  });
  $("log").replaceChildren(...(items.length ? items : [element("li", "none", { class: "soft" })]));
}

let shownFacts = "", shownLog = "";

async function show(state, buffer, offset) {
  if (state.run !== run) {
    [run, seconds, shownFacts, shownLog] = [state.run, [], "", ""];
    $("cameras").replaceChildren();
    views = state.cameras.map(({ name }, index) => figure(name, index));
  }
  [after, stages] = [state.sequence, state.stages];
  const { title, model, state: status, providers } = state.facts;
  const facts = JSON.stringify(state.facts);
  if (facts !== shownFacts) {
    shownFacts = facts;
    document.title = `${title} – shuffledet`;
    $("title").textContent = title;
    $("about").textContent = [model, status].filter(Boolean).join(", ");
    showProviders(providers);
  }
  const log = JSON.stringify(state.log);
  if (log !== shownLog) {
    shownLog = log;
    showLog(state.log);
  }
  playback(state.playback);
  const shown = state.cameras.map(({ picture }, i) => {
    if (!picture) return null;
    const jpeg = new Uint8Array(buffer, offset, picture.bytes);
    offset += picture.bytes;
    return showPicture(views[i], picture.scene, jpeg);
  });
  await Promise.all(shown);
  showNearest();
  $("frames").replaceChildren(...state.cameras.map(({ name, counts }) => {
    const number = count => element("td", String(count), { class: "number" });
    const cells = [element("td", name), number(counts.received), number(counts.published)];
    return element("tr", [...cells, element("td", counted(counts.dropped)), element("td", counted(counts.failed))]);
  }));
  if (state.seconds.length) {
    seconds = seconds.concat(state.seconds).slice(-KEPT);
    plot($("plot"), seconds, stages);
    legend($("legend"), seconds, stages);
  }
}

function connected(is) {
  $("connection").textContent = is ? "live" : "no connection; trying again";
  $("connection").className = is ? "live" : "lost";
}

const pause = ms => new Promise(done => setTimeout(done, ms));
const visible = () => document.hidden
  ? new Promise(done => document.addEventListener("visibilitychange", done, { once: true }))
  : Promise.resolve();

async function follow() {
  for (;;) {
    await visible();
    const next = seconds.length ? seconds.at(-1).index + 1 : 0;
    let buffer;
    try {
      const response = await fetch(`live?run=${run}&after=${after}&second=${next}`, { signal: AbortSignal.timeout(15000) });
      if (!response.ok) throw new Error(response.status);
      buffer = await response.arrayBuffer();
    } catch {
      connected(false);
      await pause(1000);
      continue;
    }
    connected(true);
    const length = new DataView(buffer).getUint32(0, true);
    const state = JSON.parse(utf8.decode(new Uint8Array(buffer, 4, length)));
    await show(state, buffer, 4 + length);
  }
}

for (const box of document.querySelectorAll("[data-layer]")) {
  box.addEventListener("change", () => {
    box.checked ? layers.add(box.dataset.layer) : layers.delete(box.dataset.layer);
    views.forEach(redraw);
  });
}
addEventListener("resize", () => {
  views.forEach(redraw);
  if (seconds.length) plot($("plot"), seconds, stages);
});
follow();
