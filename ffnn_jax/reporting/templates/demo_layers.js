// Each layer's forward and backward pass for one image, as derived in the chapters of
// ffnn_jax/layers, whose equation tags stand beside the code. Nothing is trained here, so of the
// gradients only dx is computed. Arrays are flat, in row-major order: an image is (height, width,
// channels). forward(layer, x) returns [z, residuals], backward(layer, residuals, dz) returns dx.
"use strict";

const sizeOf = (shape) => shape.reduce((product, length) => product * length, 1);

/** The zeros before an image along an axis; "SAME" places an odd zero after, as XLA does. */
function padBefore({ padding, input, output }, axis, size, stride, dilation) {
  if (padding === "VALID") return 0;
  if (padding !== "SAME") return padding;
  const covered = (output[axis] - 1) * stride + dilation * (size - 1) + 1;
  return Math.floor(Math.max(covered - input[axis], 0) / 2);
}

/** Visits each (output, pixel, entry of the window) inside the image, each window in turn. */
function eachEntry(layer, size, stride, dilation, visit) {
  const [height, width] = layer.input, [rows, columns] = layer.output;
  const [top, left] = [0, 1].map((axis) => padBefore(layer, axis, size, stride, dilation));
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) {
      for (let u = 0; u < size; u++) {
        const h = stride * i + dilation * u - top;
        if (h < 0 || h >= height) continue;
        for (let v = 0; v < size; v++) {
          const w = stride * j + dilation * v - left;
          if (w >= 0 && w < width) visit(i * columns + j, h * width + w, size * u + v);
        }
      }
    }
  }
}

/** Visits where x, w and z have each product of (conv.1): w and z from there on for one group. */
function eachProduct({ input, output, groups, size, stride, dilation, ...layer }, visit) {
  const channels = input[2], filters = output[2];
  const inputs = channels / groups, outputs = filters / groups; // of a group, (conv.11)
  eachEntry({ input, output, ...layer }, size, stride, dilation, (position, pixel, entry) => {
    for (let c = 0; c < channels; c++) {
      const first = Math.floor(c / inputs) * outputs;
      const kernel = (entry * inputs + (c % inputs)) * filters;
      visit(pixel * channels + c, kernel + first, position * filters + first, outputs);
    }
  });
}

function convForward(layer, x) {
  const { w, b } = layer.arrays, filters = layer.output[2];
  const z = new Float64Array(sizeOf(layer.output)).map((_, at) => (b ? b[at % filters] : 0));
  eachProduct(layer, (xAt, wAt, zAt, outputs) => {
    for (let k = 0; k < outputs; k++) z[zAt + k] += x[xAt] * w[wAt + k]; // (conv.1)
  });
  return [z, null];
}

function convBackward(layer, _, dz) {
  const { w } = layer.arrays, dx = new Float64Array(sizeOf(layer.input));
  eachProduct(layer, (xAt, wAt, zAt, outputs) => {
    let sum = 0;
    for (let k = 0; k < outputs; k++) sum += dz[zAt + k] * w[wAt + k]; // (conv.6), (conv.8)
    dx[xAt] += sum;
  });
  return dx;
}

function maxPoolForward(layer, x) {
  const channels = layer.input[2], { window } = layer;
  const z = new Float64Array(sizeOf(layer.output)), argmax = new Int32Array(z.length).fill(-1);
  eachEntry(layer, window, layer.stride ?? window, 1, (position, pixel) => {
    for (let c = 0; c < channels; c++) {
      const from = pixel * channels + c, to = position * channels + c;
      if (argmax[to] >= 0 && x[from] <= z[to]) continue; // of equal entries the first, (pool.2)
      [z[to], argmax[to]] = [x[from], from]; // (pool.1)
    }
  });
  return [z, argmax];
}

function maxPoolBackward(layer, argmax, dz) {
  const dx = new Float64Array(sizeOf(layer.input));
  dz.forEach((cotangent, at) => { dx[argmax[at]] += cotangent; }); // (pool.4)
  return dx;
}

/** Each row of x, of which a layer that flattens has one, times w. */
function denseForward({ arrays: { w, b }, units, output }, x) {
  const inputs = w.length / units;
  const z = new Float64Array(sizeOf(output)).map((_, at) => (b ? b[at % units] : 0));
  for (let at = 0; at < x.length; at++) {
    const row = Math.floor(at / inputs) * units, column = (at % inputs) * units;
    for (let k = 0; k < units; k++) z[row + k] += x[at] * w[column + k]; // (12)
  }
  return [z, null];
}

function denseBackward({ arrays: { w }, units, input }, _, dz) {
  const inputs = w.length / units, dx = new Float64Array(sizeOf(input));
  for (let at = 0; at < dx.length; at++) {
    const row = Math.floor(at / inputs) * units, column = (at % inputs) * units;
    for (let k = 0; k < units; k++) dx[at] += dz[row + k] * w[column + k]; // (14)
  }
  return dx;
}

function reluForward(_, x) {
  return [x.map((value) => Math.max(value, 0)), x]; // (17)
}

function reluBackward(_, x, dz) {
  return dz.map((cotangent, at) => (x[at] > 0 ? cotangent : 0)); // (19), 0 at the kink
}

const normalDensity = (x) => Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI);

/** Phi(x) = 1/2 + phi(x) (x + x^3 / 3 + x^5 / (3 5) + ...), to within 1e-15. */
function normalCdf(x) {
  if (Math.abs(x) > 9) return x > 0 ? 1 : 0;
  let term = x, sum = x;
  for (let k = 3; Math.abs(term) > 1e-17 * Math.abs(sum); k += 2) sum += term *= (x * x) / k;
  return 0.5 + normalDensity(x) * sum;
}

function geluForward(_, x) {
  const cumulative = x.map(normalCdf);
  return [x.map((value, at) => value * cumulative[at]), { x, cumulative }]; // (smooth.9)
}

function geluBackward(_, { x, cumulative }, dz) {
  const slope = (value, at) => cumulative[at] + value * normalDensity(value); // (smooth.10)
  return dz.map((cotangent, at) => cotangent * slope(x[at], at));
}

/** 1 / sqrt(variance + eps) of each channel, times its scale. */
function batchNormFactors({ arrays: { variance, scale }, eps }) {
  const rstd = Float64Array.from(variance, (value) => 1 / Math.sqrt(value + eps)); // (norm.1)
  return scale ? rstd.map((value, c) => value * scale[c]) : rstd;
}

/** Normalises by running statistics, as in prediction. */
function batchNormForward(layer, x) {
  const { mean, shift } = layer.arrays, channels = mean.length;
  const factors = batchNormFactors(layer);
  const z = (value, c) => factors[c] * (value - mean[c]) + shift[c]; // (norm.2), (norm.3)
  return [x.map((value, at) => z(value, at % channels)), factors];
}

function batchNormBackward(_, factors, dz) {
  return dz.map((cotangent, at) => factors[at % factors.length] * cotangent); // (norm.4)
}

const scaled = (factor, x) => x.map((value, at) => value * factor[at % factor.length]);

const LAYERS = {
  BatchNorm: { forward: batchNormForward, backward: batchNormBackward },
  Conv: { forward: convForward, backward: convBackward },
  Dense: { forward: denseForward, backward: denseBackward },
  Dropout: { forward: (_, x) => [x, null], backward: (_, residuals, dz) => dz }, // in prediction
  GELU: { forward: geluForward, backward: geluBackward },
  MaxPool: { forward: maxPoolForward, backward: maxPoolBackward },
  ReLU: { forward: reluForward, backward: reluBackward },
  Scale: { // (scale.1), (scale.2)
    forward: (layer, x) => [scaled(layer.arrays.factor, x), null],
    backward: (layer, _, dz) => scaled(layer.arrays.factor, dz),
  },
};

function softmax(logits) {
  const largest = Math.max(...logits);
  const exponentials = logits.map((logit) => Math.exp(logit - largest));
  const sum = exponentials.reduce((total, value) => total + value, 0);
  return exponentials.map((value) => value / sum); // (20)
}

/** Every layer's output for pixels 0..255, and the residuals of the backward pass. */
function forwardPass({ layers, scale, mean }, pixels) {
  const outputs = [], residuals = [], channels = mean.length;
  let x = Float64Array.from(pixels, (p, at) => scale[at % channels] * p - mean[at % channels]);
  for (const layer of layers) {
    [x, residuals[outputs.length]] = LAYERS[layer.type].forward(layer, x);
    outputs.push(x);
  }
  return { outputs, residuals, logits: x, probabilities: softmax(x) };
}

/** The gradient of one logit with respect to the image, whose pixels are 0 (black) to 1 (white). */
function backwardPass({ layers, scale }, { residuals, logits }, winner) {
  let dz = logits.map((_, k) => (k === winner ? 1 : 0));
  for (let n = layers.length - 1; n >= 0; n--) {
    dz = LAYERS[layers[n].type].backward(layers[n], residuals[n], dz);
  }
  return dz.map((cotangent, at) => 255 * scale[at % scale.length] * cotangent);
}
