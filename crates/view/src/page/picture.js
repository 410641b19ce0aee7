// Draws a camera's picture, and over it what was found in it.

const PALETTE = ["#ffcc66", "#8ce678", "#6ebeff", "#ffa0c8", "#ebeb6e", "#96dcff", "#ffaa96", "#b4f0be"];

function colour(label) {
  let hash = 0;
  for (const c of label) hash = (hash * 31 + c.codePointAt(0)) >>> 0;
  return PALETTE[hash % PALETTE.length];
}

function tag(context, text, x, y, fill) {
  const width = context.measureText(text).width + 6;
  const left = Math.max(0, Math.min(x, context.canvas.clientWidth - width));
  const top = Math.max(0, y);
  context.fillStyle = fill;
  context.fillRect(left, top, width, 16);
  context.fillStyle = "#000";
  context.fillText(text, left + 3, top + 12);
}

/** Draws `bitmap` and the layers of `scene` that `layers` has. Places in `scene` are pixels of an image of its size. */
export function draw(canvas, bitmap, scene, layers) {
  const [width, height] = scene.size;
  if (!width || !height) return;
  canvas.style.aspectRatio = `${width} / ${height}`;
  const ratio = globalThis.devicePixelRatio || 1;
  const [across, down] = [canvas.clientWidth, canvas.clientHeight];
  const [wide, high] = [Math.round(across * ratio), Math.round(down * ratio)];
  if (canvas.width !== wide) canvas.width = wide;
  if (canvas.height !== high) canvas.height = high;
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.setLineDash([]);
  context.drawImage(bitmap, 0, 0, across, down);
  const [sx, sy] = [across / width, down / height];
  const outline = ([left, top, right, bottom], line, grow = 0) => {
    context.strokeStyle = line;
    context.strokeRect(left * sx - grow, top * sy - grow, (right - left) * sx + 2 * grow, (bottom - top) * sy + 2 * grow);
  };
  context.font = "12px system-ui, sans-serif";
  context.lineWidth = 1;
  if (layers.has("regions")) {
    context.setLineDash([2, 4]);
    for (const region of scene.regions) outline(region, "#fff");
  }
  if (layers.has("horizon") && scene.horizon !== undefined) {
    context.setLineDash([8, 4]);
    context.strokeStyle = "#ff6ee0";
    context.beginPath();
    context.moveTo(0, scene.horizon * sy);
    context.lineTo(across, scene.horizon * sy);
    context.stroke();
  }
  if (layers.has("tracks")) {
    context.setLineDash([5, 3]);
    context.lineWidth = 1.5;
    for (const track of scene.tracks) outline(track.box, track.unseen_s > 0.05 ? "#fff" : colour(track.label), 3);
  }
  context.setLineDash([]);
  context.lineWidth = 2;
  // the highest score last, so that it is on top
  const boxes = layers.has("boxes") ? scene.boxes.toReversed() : [];
  for (const box of boxes) outline(box.box, colour(box.label));
  for (const box of boxes) tag(context, `${box.label} ${box.score.toFixed(2)}`, box.box[0] * sx, box.box[1] * sy - 17, colour(box.label));
  if (layers.has("tracks")) {
    for (const track of scene.tracks) {
      const distance = track.distance_m === undefined ? "" : ` ${track.distance_m.toFixed(0)} m`;
      const text = `#${track.id} ${boxes.length ? "" : `${track.label} `}${track.age_s.toFixed(1)} s${distance}`;
      tag(context, text, track.box[0] * sx, Math.min(track.box[3] * sy + 2, down - 16), track.unseen_s > 0.05 ? "#ddd" : colour(track.label));
    }
  }
}
