// The page: each change of the drawing runs the network forward and back, and shows every number.
// window.demo.state() returns what is shown: pixels, outputs, logits, probabilities, winner,
// gradient, and the milliseconds that computing and showing took.
"use strict";

const bytesOf = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
const byId = (id) => document.getElementById(id);

/** The model that the page carries, its arrays decoded from base64. */
function readModel() {
  const model = JSON.parse(byId("model").textContent);
  const decoded = ([name, text]) => [name, new Float32Array(bytesOf(text).buffer)];
  for (const layer of model.layers) {
    layer.arrays = Object.fromEntries(Object.entries(layer.arrays).map(decoded));
  }
  model.samples = model.samples.map(([label, text]) => [label, bytesOf(text)]);
  return model;
}

const model = readModel(), [height, width, channels] = model.shape, grey = channels === 1;
const seen = byId("seen"), drawingArea = byId("drawing");
[seen.width, seen.height] = [width, height];
[drawingArea.width, drawingArea.height] = [2 * SPAN, Math.round((2 * SPAN * height) / width)];
const dark = model.form.light_on_dark === false; // dark things on white
const invitation = grey ? "Draw here" : "Choose an image";
const drawing = new Drawing(drawingArea, dark, invitation, schedule);
const probabilities = new Probabilities(byId("probabilities"), model.classes);
const views = model.layers.map((layer, n) => new LayerView(layer, n + 1, model.classes));
byId("layers").append(...views.map((view) => view.section));
const picture = element("canvas", { width, height }); // the image drawn upon
let colours = divergingColours(), frame = null, state = null;

function compute() {
  const pixels = drawnPixels(drawing.strokes, PEN, SPAN, model.shape, model.form, drawing.image);
  const pass = forwardPass(model, pixels), winner = pass.logits.indexOf(Math.max(...pass.logits));
  return { ...pass, pixels, winner, gradient: backwardPass(model, pass, winner) };
}

function setText(id, text) {
  if (byId(id).textContent !== text) byId(id).textContent = text;
}

function show({ pixels, outputs, gradient, winner, ...pass }) {
  const name = model.classes[winner], empty = !drawing.strokes.length && !drawing.image;
  if (drawing.image) putPixels(picture, drawing.image, channels);
  drawing.paint(picture);
  putPixels(seen, pixels, channels);
  probabilities.show(pass.probabilities, winner);
  const most = showGradient(byId("gradient"), gradient, pixels, model.shape, colours);
  setText("answer", `${empty ? "Empty: " : ""}${name}, ${percent(pass.probabilities[winner])}`);
  setText("least", `−${toText(most)}`);
  setText("most", `+${toText(most)}`);
  setText("winner", name);
  views.forEach((view, n) => view.show(outputs[n], colours));
}

function update() {
  const start = performance.now();
  if (frame !== null) cancelAnimationFrame(frame);
  frame = null;
  state = compute();
  show(state);
  state.milliseconds = performance.now() - start;
  setText("time", state.milliseconds.toFixed(0));
  return state;
}

/** Updates once before the next frame, however many events come before. */
function schedule() {
  frame ??= requestAnimationFrame(update);
}

function addSample([label, pixels]) {
  const thumbnail = element("canvas", { width, height });
  const named = { "aria-label": `Begin with an image of ${label}`, title: label };
  const button = element("button", { type: "button", ...named }, thumbnail);
  putPixels(thumbnail, pixels, channels);
  button.addEventListener("click", () => drawing.begin(pixels));
  byId("samples").append(button);
}

/** The middle of a picture file, scaled to the network's size. */
async function pixelsOfFile(file) {
  const bitmap = await createImageBitmap(file);
  const context = element("canvas", { width, height }).getContext("2d");
  const scale = Math.min(bitmap.width / width, bitmap.height / height);
  const [w, h] = [scale * width, scale * height];
  const [left, top] = [(bitmap.width - w) / 2, (bitmap.height - h) / 2];
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, left, top, w, h, 0, 0, width, height);
  return context.getImageData(0, 0, width, height).data.filter((_, at) => at % 4 !== 3);
}

byId("clear")?.addEventListener("click", () => drawing.clear());
byId("undo")?.addEventListener("click", () => drawing.undo());
model.samples.forEach(addSample);
byId("file")?.addEventListener("change", async ({ target: { files } }) => {
  if (files.length) drawing.begin(await pixelsOfFile(files[0]).catch(() => null)); // no picture
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  colours = divergingColours();
  schedule();
});
if (!grey && model.samples.length) drawing.begin(model.samples[0][1]);
window.demo = { state: () => (frame === null && state ? state : update()) };
update();
