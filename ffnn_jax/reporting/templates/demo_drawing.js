// The drawing area: strokes by mouse, finger, pen or arrow keys, and the image drawn upon.
"use strict";

const SPAN = 280, PEN = 24, STEP = 8; // width of the area, of its strokes, and an arrow key's step
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/** A drawing on a canvas of SPAN units; `changed` is called after each change of what it shows. */
class Drawing {
  constructor(canvas, dark, invitation, changed) {
    const [ink, paper] = dark ? ["#000", "#fff"] : ["#fff", "#000"];
    Object.assign(this, { canvas, invitation, changed, ink, paper });
    [this.strokes, this.image, this.pen, this.pointer] = [[], null, [SPAN / 2, SPAN / 2], null];
    this.lowered = false; // whether a stroke is being drawn
    canvas.addEventListener("pointerdown", (event) => this.press(event));
    canvas.addEventListener("pointermove", (event) => this.drag(event));
    canvas.addEventListener("pointerup", (event) => this.release(event));
    canvas.addEventListener("pointercancel", (event) => this.release(event));
    canvas.addEventListener("keydown", (event) => this.type(event));
    canvas.addEventListener("focus", changed); // the keys' pen is shown
    canvas.addEventListener("blur", () => this.lift());
  }

  lower(point) {
    this.lowered = true;
    this.strokes.push([point]);
    this.changed();
  }

  extend(points) {
    this.strokes.at(-1).push(...points);
    this.changed();
  }

  lift() {
    [this.lowered, this.pointer] = [false, null];
    this.changed();
  }

  clear() {
    [this.strokes, this.image] = [[], null];
    this.lift();
  }

  /** Takes back the last stroke, or else the image. */
  undo() {
    if (!this.strokes.pop()) this.image = null;
    this.lift();
  }

  /** Begins anew, on an image. */
  begin(image) {
    [this.strokes, this.image] = [[], image];
    this.lift();
  }

  place(event) {
    const box = this.canvas.getBoundingClientRect(), unit = SPAN / box.width;
    return this.inside([(event.clientX - box.left) * unit, (event.clientY - box.top) * unit]);
  }

  inside([x, y]) {
    return [clamp(x, 0, SPAN), clamp(y, 0, (SPAN * this.canvas.height) / this.canvas.width)];
  }

  press(event) {
    if (event.button !== 0 || !event.isPrimary) return;
    this.canvas.setPointerCapture(event.pointerId); // a stroke may leave the canvas
    this.pointer = event.pointerId;
    this.lower(this.place(event));
  }

  drag(event) {
    if (event.pointerId !== this.pointer) return; // of another finger
    const passed = event.getCoalescedEvents?.() ?? [];
    this.extend((passed.length ? passed : [event]).map((one) => this.place(one)));
  }

  release(event) {
    if (event.pointerId === this.pointer) this.lift();
  }

  type(event) {
    const arrow = ARROWS[event.key];
    if (arrow) this.move(arrow);
    else if (event.key === " ") this.lowered ? this.lift() : this.lower([...this.pen]);
    else if (event.key === "Backspace") this.undo();
    else if (event.key === "Escape") this.clear();
    else return;
    event.preventDefault(); // arrow keys and the space bar do not scroll the page
  }

  move(arrow) {
    this.pen = this.inside(this.pen.map((at, axis) => at + STEP * arrow[axis]));
    this.lowered ? this.extend([[...this.pen]]) : this.changed();
  }

  /** Shows the image, its strokes, and the keys' pen; `picture` is a canvas of the image. */
  paint(picture) {
    const { canvas, ink, paper } = this, context = canvas.getContext("2d");
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.fillStyle = paper;
    context.fillRect(0, 0, canvas.width, canvas.height);
    context.imageSmoothingEnabled = false;
    if (this.image) context.drawImage(picture, 0, 0, canvas.width, canvas.height);
    context.scale(canvas.width / SPAN, canvas.width / SPAN);
    Object.assign(context, { strokeStyle: ink, lineWidth: PEN });
    [context.lineCap, context.lineJoin] = ["round", "round"];
    for (const stroke of this.strokes) this.trace(context, stroke);
    if (!this.image && !this.strokes.length) this.invite(context);
    if (canvas.matches(":focus-visible")) this.ring(context);
  }

  trace(context, [[x, y], ...others]) {
    context.beginPath();
    context.moveTo(x, y);
    context.lineTo(x + 0.01, y); // a line of no length would not be a dot
    for (const point of others) context.lineTo(...point);
    context.stroke();
  }

  invite(context) {
    Object.assign(context, { fillStyle: "#888", textAlign: "center", font: "16px system-ui" });
    context.fillText(this.invitation, SPAN / 2, SPAN / 2);
  }

  /** A ring where the keys' pen is, full while it draws. */
  ring(context) {
    Object.assign(context, { strokeStyle: "#e69f00", fillStyle: "#e69f00", lineWidth: 3 });
    context.beginPath();
    context.arc(...this.pen, PEN / 2, 0, 2 * Math.PI);
    this.lowered ? context.fill() : context.stroke();
  }
}
