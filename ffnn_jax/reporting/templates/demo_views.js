// What the page shows: pixels, channels, bars and the gradient, each from an array of numbers.
"use strict";

const MOST_SHOWN = 64, CELL = 12; // channels of a layer; the gradient's canvas pixels per pixel
const MOST_CLASSES = 12;

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

/** A number with three digits or so, and a true minus. */
const toText = (value) => Number(value.toPrecision(3)).toString().replace("-", "−");
const percent = (share) => `${(100 * share).toFixed(1)} %`;
const extent = (shape) => shape.join(" × ");

/** The colour of each share -255..255 of the largest value: from blue over the paper to orange. */
function divergingColours() {
  const style = getComputedStyle(document.documentElement);
  const [below, zero, above] = ["--below", "--zero", "--above"].map((name) =>
    style.getPropertyValue(name).split(",").map(Number));
  return Array.from({ length: 511 }, (_, at) => {
    const share = (at - 255) / 255, end = share < 0 ? below : above;
    return zero.map((value, c) => value + Math.abs(share) * (end[c] - value));
  });
}

/** Writes one colour per pixel onto a canvas of that size. */
function putColours(canvas, colourOf) {
  const context = canvas.getContext("2d");
  const image = context.createImageData(canvas.width, canvas.height), { data } = image;
  for (let at = 0; 4 * at < data.length; at++) {
    const colour = colourOf(at);
    for (let c = 0; c < 3; c++) data[4 * at + c] = colour[c];
    data[4 * at + 3] = 255; // opaque
  }
  context.putImageData(image, 0, 0);
}

/** Pixels 0..255 of one channel, or of red, green and blue. */
function putPixels(canvas, pixels, channels) {
  putColours(canvas, (at) => [0, 1, 2].map((c) => pixels[at * channels + (c % channels)]));
}

/** What full colour stands for: the largest value, but no more than twice the median channel's. */
function fullColour(z, channels) {
  const largest = new Float64Array(channels);
  for (let at = 0; at < z.length; at++) {
    largest[at % channels] = Math.max(largest[at % channels], Math.abs(z[at]));
  }
  const sorted = largest.filter((value) => value > 0).sort();
  return sorted.length ? Math.min(2 * sorted[sorted.length >> 1], sorted.at(-1)) : 1;
}

const largestOf = (values) =>
  values.reduce((most, value) => Math.max(most, Math.abs(value)), Number.MIN_VALUE);

const shareOf = (value, largest) => 255 + Math.round(255 * clamp(value / largest, -1, 1));

/** Classes with bars of their probabilities; of many classes the most probable. */
class Probabilities {
  constructor(list, classes) {
    this.classes = classes;
    this.rows = classes.slice(0, MOST_CLASSES).map(() => {
      const [name, bar, share] = [element("b"), element("i"), element("span")];
      list.append(element("li", {}, name, element("div", {}, bar), share));
      return { name, bar, share };
    });
  }

  show(probabilities, winner) {
    let order = [...this.classes.keys()];
    if (order.length > MOST_CLASSES) order.sort((a, b) => probabilities[b] - probabilities[a]);
    this.rows.forEach(({ name, bar, share }, row) => {
      name.textContent = this.classes[order[row]];
      share.textContent = percent(probabilities[order[row]]);
      bar.style.width = `${100 * probabilities[order[row]]}%`;
      bar.parentElement.parentElement.classList.toggle("winner", order[row] === winner);
    });
  }
}

/** A layer's output: a picture per channel, or a bar per number. */
class LayerView {
  constructor({ title, output }, number, classes) {
    const channels = output.at(-1), shown = Math.min(channels, MOST_SHOWN);
    this.output = output;
    this.label = `Output of layer ${number}, ${title}, ${extent(output)}`;
    this.parts = Array.from({ length: shown }, (_, k) =>
      this.part(channels === classes.length ? classes[k] : ""));
    const kind = output.length === 3 ? "channels" : "bars";
    this.group = element("div", { role: "img", class: kind }, ...this.parts);
    this.range = element("span", { class: "range" });
    const size = extent(output) + (shown < channels ? `, first ${shown}` : "");
    const heading = [`${number}. ${title} `, element("small", {}, size), this.range];
    this.section = element("section", {}, element("h3", {}, ...heading), this.group);
  }

  part(name) {
    const [height, width] = this.output;
    if (this.output.length === 3) return element("canvas", { width, height });
    return element("div", {}, element("p", {}, element("i")), name);
  }

  show(z, colours) {
    const picture = this.output.length === 3, channels = this.output.at(-1);
    const largest = picture ? fullColour(z, channels) : largestOf(z);
    this.range.textContent = `±${toText(largest)}`;
    this.group.setAttribute("aria-label", `${this.label}, full colour at ±${toText(largest)}`);
    this.parts.forEach((part, k) => {
      if (picture) putColours(part, (at) => colours[shareOf(z[at * channels + k], largest)]);
      else this.bar(part, z[k], largest);
    });
  }

  bar(part, value, largest) {
    [part.title, part.className] = [toText(value), value < 0 ? "below" : "above"];
    part.querySelector("i").style.height = `${(50 * Math.abs(value)) / largest}%`;
  }
}

/** The gradient in colour, channels added up, with the outline of what is drawn. */
function showGradient(canvas, gradient, pixels, [height, width, channels], colours) {
  const total = Array.from({ length: height * width }, (_, at) =>
    gradient.subarray(at * channels, (at + 1) * channels).reduce((sum, value) => sum + value, 0));
  const largest = largestOf(total), context = canvas.getContext("2d");
  [canvas.width, canvas.height] = [CELL * width, CELL * height];
  total.forEach((value, at) => {
    context.fillStyle = `rgb(${colours[shareOf(value, largest)].join(" ")})`;
    context.fillRect(CELL * (at % width), CELL * Math.floor(at / width), CELL, CELL);
  });
  if (channels === 1) outline(context, pixels, height, width);
  return largest;
}

/** Lines between pixels above and below the middle grey. */
function outline(context, pixels, height, width) {
  const light = (y, x) => y >= 0 && x >= 0 && pixels[y * width + x] > 127;
  context.fillStyle = getComputedStyle(context.canvas).color;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const [left, top] = [CELL * x - 1, CELL * y - 1];
      if (light(y, x) !== light(y, x - 1)) context.fillRect(left, top, 2, CELL + 2);
      if (light(y, x) !== light(y - 1, x)) context.fillRect(left, top, CELL + 2, 2);
    }
  }
}
