// Plots the stages of the last two minutes.

const KEPT = 120;

/** Draws `seconds`, each with the mean of every stage in milliseconds, as stacked bars, and the p99 of the latency. */
export function plot(canvas, seconds, stages) {
  const ratio = globalThis.devicePixelRatio || 1;
  const [across, down] = [canvas.clientWidth, canvas.clientHeight];
  canvas.width = Math.round(across * ratio);
  canvas.height = Math.round(down * ratio);
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  const style = getComputedStyle(document.documentElement);
  const [ink, line] = [style.getPropertyValue("--soft"), style.getPropertyValue("--line")];
  const total = second => second.stages_ms.reduce((sum, ms) => sum + ms, 0);
  const highest = Math.max(1, ...seconds.map(total), ...seconds.map(s => s.latency_ms?.[1] ?? 0));
  const [left, top, right, bottom] = [46, 8, across - 4, down - 20];
  const step = tick(highest / 4);
  const ceiling = Math.ceil(highest / step) * step;
  const y = ms => bottom - (bottom - top) * ms / ceiling;
  context.font = "11px system-ui, sans-serif";
  context.fillStyle = ink;
  context.strokeStyle = line;
  context.textAlign = "right";
  for (let ms = 0; ms <= ceiling + step / 2; ms += step) {
    context.fillText(`${+ms.toPrecision(3)} ms`, left - 4, y(ms) + 4);
    context.beginPath();
    context.moveTo(left, Math.round(y(ms)) + .5);
    context.lineTo(right, Math.round(y(ms)) + .5);
    context.stroke();
  }
  const last = seconds.at(-1)?.index ?? 0;
  const wide = (right - left) / KEPT;
  const x = second => right - (last - second.index + 1) * wide;
  context.textAlign = "left";
  context.fillText("2 min ago", left, down - 4);
  context.textAlign = "right";
  context.fillText("now", right, down - 4);
  const colours = stages.map((_, i) => style.getPropertyValue(`--stage-${i}`));
  for (const second of seconds) {
    let below = 0;
    second.stages_ms.forEach((ms, i) => {
      context.fillStyle = colours[i];
      context.fillRect(x(second), y(below + ms), Math.max(1, wide - .6), y(below) - y(below + ms));
      below += ms;
    });
  }
  context.strokeStyle = style.getPropertyValue("--ink");
  context.lineWidth = 1.5;
  context.beginPath();
  let drawing = false;
  for (const second of seconds) {
    if (second.latency_ms) {
      const at = [x(second) + wide / 2, y(second.latency_ms[1])];
      drawing ? context.lineTo(...at) : context.moveTo(...at);
    }
    drawing = second.latency_ms !== null;
  }
  context.stroke();
}

/** The least of 1, 2, 5, 10, ... that is not below `least`. */
function tick(least) {
  const power = 10 ** Math.floor(Math.log10(least));
  return [1, 2, 5, 10].map(n => n * power).find(step => step >= least * 0.999);
}

/** Fills `list` with the stages that some second has, and their last means. */
export function legend(list, seconds, stages) {
  const latest = seconds.findLast(second => second.published > 0);
  const items = stages.flatMap((stage, i) => {
    if (!seconds.some(second => second.stages_ms[i] > 0)) return [];
    const item = document.createElement("li");
    const mark = document.createElement("i");
    mark.style.background = `var(--stage-${i})`;
    item.append(mark, `${stage} ${latest ? latest.stages_ms[i].toFixed(1) : "–"}`);
    return [item];
  });
  if (latest?.latency_ms) {
    const item = document.createElement("li");
    const mark = document.createElement("i");
    mark.style.background = "var(--ink)";
    item.append(mark, `latency p50 ${latest.latency_ms[0].toFixed(1)}, p99 ${latest.latency_ms[1].toFixed(1)}, max ${latest.latency_ms[2].toFixed(1)}`);
    items.push(item);
  }
  list.replaceChildren(...items);
}
