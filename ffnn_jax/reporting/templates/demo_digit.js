// A drawing as the pixels that the network takes. A drawing from scratch is treated as MNIST's
// digits were: scaled to fit 20 x 20 of 28 x 28 pixels, with its centre of mass in the middle.
// Strokes are lists of points [x, y]; ink is from 0 to 1, in row-major order.
"use strict";

// Of MNIST's digits, 80 % have strokes of so many shares of their larger side.
const THINNEST = 0.12, THICKEST = 0.2;

const clamp = (value, least, most) => Math.min(Math.max(value, least), most);

function distanceToSegment([x, y], [ax, ay], [bx, by]) {
  const dx = bx - ax, dy = by - ay, squared = dx * dx + dy * dy;
  const along = squared ? clamp(((x - ax) * dx + (y - ay) * dy) / squared, 0, 1) : 0;
  return Math.hypot(x - ax - along * dx, y - ay - along * dy);
}

/** Inks the pixels near one segment: fully within the radius, with an edge one pixel wide. */
function inkSegment(ink, height, width, radius, a, b) {
  const [[left, right], [top, bottom]] = [0, 1].map((axis) => [
    Math.floor(Math.min(a[axis], b[axis]) - radius - 1),
    Math.ceil(Math.max(a[axis], b[axis]) + radius + 1),
  ]);
  for (let y = Math.max(top, 0); y < Math.min(bottom, height); y++) {
    for (let x = Math.max(left, 0); x < Math.min(right, width); x++) {
      const covered = radius + 0.5 - distanceToSegment([x + 0.5, y + 0.5], a, b);
      ink[y * width + x] = Math.max(ink[y * width + x], clamp(covered, 0, 1));
    }
  }
}

/** The ink of strokes of this thickness, their points mapped to pixels first. */
function rasterise(strokes, toPixels, thickness, height, width) {
  const ink = new Float64Array(height * width);
  for (const stroke of strokes) {
    const points = stroke.map(toPixels);
    points.forEach((point, k) => {
      inkSegment(ink, height, width, thickness / 2, points[Math.max(k - 1, 0)], point);
    });
  }
  return ink;
}

/** Where ink of this height and width must begin for its centre of mass to lie in the middle. */
function centredAt(ink, [rows, columns], [height, width]) {
  let mass = 0, down = 0, across = 0;
  ink.forEach((value, at) => {
    mass += value;
    down += value * Math.floor(at / columns);
    across += value * (at % columns);
  });
  const first = (length, centre) => Math.round((length - 1) / 2 - centre / mass);
  return [
    clamp(first(height, down), 0, height - rows), clamp(first(width, across), 0, width - columns),
  ];
}

/** The ink of a drawing, scaled and centred as MNIST's digits were. */
function placedInk(strokes, pen, [height, width]) {
  const xs = strokes.flat().map(([x]) => x), ys = strokes.flat().map(([, y]) => y);
  const least = [xs, ys].map((values) => Math.min(...values));
  const extents = [xs, ys].map((values, axis) => Math.max(...values) - least[axis]);
  const side = Math.round((20 / 28) * Math.min(height, width)), size = Math.max(...extents);
  const thickness = side * clamp(pen / (size + pen), THINNEST, THICKEST);
  const scale = (side - thickness) / Math.max(size, pen);
  const toPixels = (point) => point.map((at, axis) => scale * (at - least[axis]) + thickness / 2);
  const [columns, rows] = extents.map((extent) => Math.ceil(scale * extent + thickness - 1e-6));
  const ink = rasterise(strokes, toPixels, thickness, rows, columns);
  const [top, left] = centredAt(ink, [rows, columns], [height, width]);
  const placed = new Float64Array(height * width);
  ink.forEach((value, at) => {
    placed[(top + Math.floor(at / columns)) * width + left + (at % columns)] = value;
  });
  return placed;
}

const transposedInk = (ink, height, width) =>
  ink.map((_, at) => ink[(at % width) * width + Math.floor(at / width)]);

/** Pixels 0..255 of strokes, drawn `span` wide: from scratch, or on the pixels of an image. */
function drawnPixels(strokes, pen, span, [height, width, channels], form, image) {
  const dark = form.light_on_dark === false;
  const toImage = (point) => point.map((at) => (at * width) / span);
  let ink = rasterise(image ? strokes : [], toImage, (pen * width) / span, height, width);
  if (strokes.length && !image) ink = placedInk(strokes, pen, [height, width]);
  if (!image && form.transposed) ink = transposedInk(ink, height, width);
  const pixelOf = (at) => Math.round(255 * (dark ? 1 - ink[at] : ink[at]));
  const drawn = Uint8Array.from({ length: ink.length * channels }, (_, at) =>
    pixelOf(Math.floor(at / channels)));
  return image ? image.map((pixel, at) => (dark ? Math.min : Math.max)(pixel, drawn[at])) : drawn;
}
