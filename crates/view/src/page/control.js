// What viewers may do: play the recording, mark frames, change parameters.

const $ = id => document.getElementById(id);

async function send(path, order) {
  const response = await fetch(path, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(order),
  });
  const found = await response.json().catch(() => ({ error: `refused (${response.status})` }));
  return found.error ? { error: found.error } : { ok: found.ok };
}

let playing = null;
let said = "";

async function play(order) {
  const answer = await send("play", order).catch(() => ({ error: "the program does not answer" }));
  said = answer.error ?? answer.ok;
  note();
  return answer;
}

function note() {
  const state = playing ?? {};
  $("playback-note").textContent = [said, state.fixed, state.no_seek].filter(Boolean).join(" · ");
}

const clock = s => `${Math.floor(s / 60)}:${(s % 60).toFixed(1).padStart(4, "0")}`;

/** Shows how the recording is played; `null` for a live run. */
export function playback(state) {
  playing = state;
  $("playback").hidden = !state;
  if (!state) return;
  $("pause").textContent = state.paused || state.at_end ? "Play" : "Pause";
  for (const id of ["pause", "step", "speed"]) $(id).disabled = !!state.fixed;
  if (document.activeElement !== $("speed")) $("speed").value = state.speed ?? "";
  const seek = $("seek");
  seek.disabled = !!state.no_seek || !state.length_s;
  seek.max = state.length_s ?? 1;
  if (!seek.matches(":active")) seek.value = state.position_s;
  const length = state.length_s ? ` of ${clock(state.length_s)}` : "";
  const marks = state.marks === null ? "" : `, ${state.marks} marked`;
  $("position").textContent = `${clock(state.position_s)}${length}${state.at_end ? ", end" : ""}${marks}`;
  note();
}

$("pause").addEventListener("click", () => play({ do: playing?.paused || playing?.at_end ? "resume" : "pause" }));
$("step").addEventListener("click", () => play({ do: "step" }));
$("speed").addEventListener("change", event => play({ do: "speed", times: event.target.value === "" ? null : +event.target.value }));
$("seek").addEventListener("change", event => play({ do: "seek", to_s: +event.target.value }));
addEventListener("keydown", event => {
  if (!playing || playing.fixed || event.target.matches("input, select, button, summary, a")) return;
  if (event.key === " ") { event.preventDefault(); $("pause").click(); }
  if (event.key === ".") $("step").click();
});

/** Marks the shown frame of a camera. */
export const mark = (camera, stamp) => play({ do: "mark", camera, stamp });
export const canMark = () => playing !== null && playing.marks !== null;

const text = value => typeof value === "string" ? value : JSON.stringify(value);

function read(kind, written) {
  if (kind === "string") return written;
  return JSON.parse(written);
}

function parameter({ name, kind, description, range, value, default: usual }, fixed) {
  const item = document.createElement("div");
  item.className = "parameter";
  item.dataset.name = name;
  const title = document.createElement("h3");
  title.textContent = name;
  const about = document.createElement("p");
  about.textContent = description;
  const limits = document.createElement("p");
  limits.className = "soft";
  limits.textContent = [kind, range, usual === null ? "no default" : `default ${text(usual)}`].filter(Boolean).join("; ");
  const form = document.createElement("form");
  const input = document.createElement("input");
  input.value = value === null ? "" : text(value);
  input.setAttribute("aria-label", name);
  input.disabled = !!fixed;
  form.append(input);
  if (!fixed) {
    const set = document.createElement("button");
    set.textContent = "Set";
    const answer = document.createElement("span");
    answer.className = "said";
    answer.setAttribute("role", "status");
    form.append(set, answer);
    form.addEventListener("submit", async event => {
      event.preventDefault();
      let found;
      try {
        found = await send("parameter", { name, value: read(kind, input.value) });
      } catch {
        found = { error: `expected a ${kind}, found ${input.value}` };
      }
      answer.textContent = found.error ?? found.ok;
      answer.classList.toggle("error", !!found.error);
    });
  }
  item.append(title, about, limits, form);
  return item;
}

function filter() {
  const wanted = $("find").value.toLowerCase();
  for (const item of $("parameter-list").children) item.hidden = !item.textContent.toLowerCase().includes(wanted);
}

$("find").addEventListener("input", filter);
$("parameters").addEventListener("toggle", async () => {
  if (!$("parameters").open) return;
  const response = await fetch("parameters").catch(() => null);
  if (!response?.ok) {
    $("parameters-note").textContent = "the program does not answer";
    return;
  }
  const { parameters, fixed } = await response.json();
  $("parameters-note").textContent = fixed ?? "A change applies from the next frame.";
  $("parameter-list").replaceChildren(...parameters.map(one => parameter(one, fixed)));
  filter();
});
