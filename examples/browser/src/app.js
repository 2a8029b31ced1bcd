// The page: files and drawings in, spikes out.

import { drawPotentials, drawRaster, drawSeen, fillScores } from "./charts.js";
import { prepare, rangeOf } from "./image.js";
import { openNetwork } from "./network.js";
import { attachPen } from "./pen.js";
import { simulate } from "./simulate.js";

const $ = (id) => document.getElementById(id);
let network = null;
let picture = null; // ImageData of a file; null while the drawing counts
let loading = Promise.resolve(); // the last file's
let running = 0; // number of the run that may draw; a new run ends the one before

const pen = attachPen($("drawing"), () => {
  picture = null;
  showImage();
});

function say(text) {
  $("message").textContent = text;
}

function labelsOf(facts, classes) {
  const names = facts.class_names ?? facts.labels;
  return Array.isArray(names) && names.length === classes
    ? names.map(String)
    : Array.from({ length: classes }, (_, i) => String(i));
}

function pixels() {
  return prepare(picture ?? pen.picture(), network.inputs.image, network.facts, $("invert").checked);
}

function showImage() {
  if (!network) return;
  const scale = network.inputs.image.type === Float32Array ? 1 : Number(network.facts.input_scale);
  drawSeen($("seen"), pixels(), network.inputs.image.shape, rangeOf(network.facts), scale);
}

async function takeNetwork(file) {
  running += 1;
  $("run").disabled = true;
  say(`Opening ${file.name} ...`);
  network = await openNetwork(new Uint8Array(await file.arrayBuffer()), file.name);
  const { facts, inputs } = network;
  const own = Number(facts.time_steps) || 20;
  $("time-steps").value = own;
  // Files of the form unrolled have their T for good.
  $("time-steps").disabled = network.outputs.includes("spike_counts") && !inputs.time_steps;
  const [, height, width, channels] = inputs.image.shape;
  $("network-facts").textContent =
    `${file.name}: ${facts.spec ?? "network"}, form ${facts.form ?? "unknown"}, ` +
    `${facts.number_format ?? "float32"}, images ${height} x ${width} x ${channels}, T = ${own}, ` +
    `class by ${facts.readout === "potential" ? "spikes and potential" : "spikes"}.`;
  $("run").disabled = false;
  say("Ready: choose or draw an image, then run.");
  showImage();
}

async function takeImage(file) {
  const bitmap = await createImageBitmap(file, { colorSpaceConversion: "none" });
  const sheet = new OffscreenCanvas(bitmap.width, bitmap.height).getContext("2d");
  sheet.drawImage(bitmap, 0, 0);
  picture = sheet.getImageData(0, 0, bitmap.width, bitmap.height);
  showImage();
}

async function run() {
  const number = (running += 1);
  await loading;
  const timeSteps = Number($("time-steps").value);
  const margin = Number($("margin").value);
  if (!Number.isInteger(timeSteps) || timeSteps < 1) throw new Error("Time steps must be 1 or more.");
  if (!(margin > 0)) throw new Error("The margin must be above 0.");
  const steps = [];
  for await (const result of simulate(network, pixels(), timeSteps, $("stop").value, margin)) {
    if (number !== running) return;
    steps.push(result);
    const pause = Number($("pause").value);
    if (pause && !result.told) {
      show(steps, timeSteps);
      say(`Step ${result.step} of ${timeSteps}.`);
      await new Promise((done) => setTimeout(done, pause));
    }
  }
  const name = show(steps, timeSteps);
  const { step, counts } = steps.at(-1);
  say(`Class ${name}, told after step ${step} of ${timeSteps}. Spike counts: ${counts.join(" ")}.`);
}

/** Draw the steps so far; gives the name of the leading class. */
function show(steps, timeSteps) {
  const result = steps.at(-1);
  const labels = labelsOf(network.facts, result.counts.length);
  drawRaster($("raster"), steps, timeSteps, labels);
  drawPotentials($("potentials"), steps, timeSteps, labels);
  fillScores($("scores"), result, labels);
  return labels[result.winner];
}

/** What goes wrong is said on the page. */
const guarded = (work) => (...args) => work(...args).catch((error) => say(`Error: ${error.message}`));

function attachFile(id, take) {
  const input = $(id);
  const area = input.closest(".drop");
  const handle = (file) => (loading = guarded(take)(file));
  input.addEventListener("change", () => input.files[0] && handle(input.files[0]));
  for (const kind of ["dragover", "dragleave", "drop"]) {
    area.addEventListener(kind, (event) => {
      event.preventDefault();
      area.classList.toggle("over", kind === "dragover");
      if (kind === "drop" && event.dataTransfer.files[0]) handle(event.dataTransfer.files[0]);
    });
  }
}

attachFile("network-file", takeNetwork);
attachFile("image-file", takeImage);
$("run").addEventListener("click", guarded(run));
$("invert").addEventListener("change", showImage);
$("clear").addEventListener("click", () => {
  pen.clear();
  picture = null;
  showImage();
});
