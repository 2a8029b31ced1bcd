// A network file opened in its runtime: ONNX Runtime or LiteRT, both as WebAssembly.

import { litertFacts, onnxFacts } from "./facts.js";

const MODULES = new URL("../node_modules/", import.meta.url).href;
const ARRAYS = {
  float32: Float32Array,
  int32: Int32Array,
  int64: BigInt64Array,
  int16: Int16Array,
  int8: Int8Array,
};

/**
 * Open an exported file.
 *
 * @param {Uint8Array} bytes Content of the file.
 * @param {string} name Its name, which ends in .onnx or .tflite.
 * @returns {{inputs, outputs, facts, infer}} `inputs`: name to shape (a batch of one) and type of
 *     array. `infer`: function of arrays by name that gives arrays by name.
 */
export async function openNetwork(bytes, name) {
  const open = name.endsWith(".onnx") ? openOnnx : name.endsWith(".tflite") ? openLitert : null;
  if (!open) throw new Error(`The file must end in .onnx or .tflite. Received: ${name}.`);
  const network = await open(bytes);
  const known = network.outputs.some((output) => ["spikes", "spike_counts"].includes(output));
  if (!network.inputs.image || !known) {
    throw new Error(`${name} is not an exported spiking network.`);
  }
  return network;
}

async function openOnnx(bytes) {
  const ort = await import("onnxruntime-web");
  ort.env.wasm.wasmPaths = `${MODULES}onnxruntime-web/dist/`;
  ort.env.wasm.numThreads = 1; // More need headers that a plain static server does not send.
  const session = await ort.InferenceSession.create(bytes, { executionProviders: ["wasm"] });
  const inputs = {};
  for (const { name, shape, type } of session.inputMetadata) {
    inputs[name] = { shape: shape.map((n) => (typeof n === "number" ? n : 1)), type: ARRAYS[type], kind: type };
  }
  const infer = async (arrays) => {
    const feed = {};
    for (const [name, values] of Object.entries(arrays)) {
      const { shape, type, kind } = inputs[name];
      feed[name] = new ort.Tensor(kind, converted(values, type), shape);
    }
    const results = await session.run(feed);
    return Object.fromEntries(Object.entries(results).map(([name, { data }]) => [name, data]));
  };
  return { inputs, outputs: [...session.outputNames], facts: onnxFacts(bytes), infer };
}

let litertReady = null;

async function openLitert(bytes) {
  const litert = await import("@litertjs/core");
  litertReady ??= litert.loadLiteRt(`${MODULES}@litertjs/core/wasm/`);
  await litertReady;
  const facts = litertFacts(bytes);
  if (String(facts.number_format ?? "float32") !== "float32") {
    throw new Error("LiteRT.js runs no 16-bit integers: export integer networks as .onnx.");
  }
  const model = await litert.loadAndCompile(bytes, { accelerator: "wasm" });
  const inputs = {};
  for (const { name, shape, dtype } of model.getInputDetails()) {
    inputs[name] = { shape: Array.from(shape), type: ARRAYS[dtype] };
  }
  const infer = async (arrays) => {
    const feed = {};
    for (const [name, values] of Object.entries(arrays)) {
      const { shape, type } = inputs[name];
      feed[name] = litert.Tensor.fromTypedArray(converted(values, type), shape);
    }
    const results = await model.run(feed);
    const arraysOut = {};
    for (const [name, tensor] of Object.entries(results)) {
      arraysOut[name] = (await tensor.data()).slice();
      tensor.delete();
    }
    Object.values(feed).forEach((tensor) => tensor.delete());
    return arraysOut;
  };
  return { inputs, outputs: model.getOutputDetails().map(({ name }) => name), facts, infer };
}

function converted(values, type) {
  if (values instanceof type) return values;
  return type.from(values, (value) => (type === BigInt64Array ? BigInt(value) : Number(value)));
}
