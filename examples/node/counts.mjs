// Runs an exported spiking network on images, prints the spike counts of each as JSON.
//
//     node counts.mjs NETWORK.onnx IMAGES.json [T]
//
// IMAGES.json: a list of images, each a flat list of its values by row, column and channel. T, the
// number of time steps, is for files of the form `loop` alone.

import { readFile } from "node:fs/promises";
import ort from "onnxruntime-node";

const [network, imagesFile, timeSteps] = process.argv.slice(2);
const session = await ort.InferenceSession.create(network);
if (!session.outputNames.includes("spike_counts")) {
  throw new Error(`The form must be loop or unrolled. Received: ${network}, which gives ${session.outputNames}.`);
}
const images = JSON.parse(await readFile(imagesFile, "utf8"));
const { shape } = session.inputMetadata.find(({ name }) => name === "image");
const feed = {
  image: new ort.Tensor("float32", Float32Array.from(images.flat()), [images.length, ...shape.slice(1)]),
};
// A scalar: its shape is empty.
if (timeSteps !== undefined) feed.time_steps = new ort.Tensor("int64", [BigInt(timeSteps)], []);
const { spike_counts: counts } = await session.run(feed);
const classes = counts.dims[1];
const rows = images.map((_, i) => Array.from(counts.data.slice(i * classes, (i + 1) * classes)));
console.log(JSON.stringify(rows));
