// Time steps of an exported network: the same rules as `on_device.py`.

/**
 * Whether the scores after `step` of `timeSteps` steps tell the class.
 *
 * "certain": the scores are spike counts, and a neuron spikes at most once per step. The leader is
 * certain if it wins even when it falls silent and all other classes spike at every step.
 * "margin": the leader is ahead of the second class by `margin`.
 */
export function shouldStop(scores, step, timeSteps, stop, margin) {
  if (step >= timeSteps) return true;
  const leader = argmax(scores);
  if (stop === "certain") {
    const worst = scores.map((score, i) => (i === leader ? score : score + timeSteps - step));
    return argmax(worst) === leader;
  }
  const second = Math.max(...scores.filter((_, i) => i !== leader), -Infinity);
  return stop === "margin" && scores[leader] - second >= margin;
}

/** Index of the first of the largest values. */
export function argmax(values) {
  return values.reduce((best, value, i) => (value > values[best] ? i : best), 0);
}

/**
 * Run an image; yields after each time step, or once for a network that runs all steps in a call.
 *
 * @param network What `openNetwork` returns.
 * @param image Pixels in the network's layout and number format.
 * @yields {step, spikes, counts, potentials, scores, winner, told, threshold}; `spikes` and
 *     `potentials` are null where the file does not give them.
 */
export async function* simulate(network, image, timeSteps, stop = "never", margin = 4) {
  const readout = readoutOf(network.facts);
  const threshold = readout && Math.max(...[readout.threshold].flat());
  if (network.outputs.includes("spike_counts")) {
    const feed = { image, ...(network.inputs.time_steps ? { time_steps: [timeSteps] } : {}) };
    const outputs = await network.infer(feed);
    const counts = rounded(outputs.spike_counts);
    const potentials = potentialsOf(outputs, readout);
    const scores = scoresOf(network.facts, readout, counts, potentials, "never");
    const winner = argmax(scores);
    yield { step: timeSteps, spikes: null, counts, potentials, scores, winner, told: true, threshold };
    return;
  }
  const potentialDecides = network.facts.readout === "potential";
  const rule = stop === "certain" && potentialDecides ? "never" : stop;
  const names = Object.keys(network.inputs).filter((name) => name.startsWith("v_"));
  let state = Object.fromEntries(names.map((name) => [name, zeros(network.inputs[name])]));
  let counts = null;
  for (let step = 1; step <= timeSteps; step += 1) {
    const keep = network.inputs.keep ? { keep: [step > 1 ? 1 : 0] } : {};
    const outputs = await network.infer({ image, ...state, ...keep });
    state = Object.fromEntries(names.map((name) => [name, outputs[`${name}_out`]]));
    const spikes = rounded(outputs.spikes);
    counts = spikes.map((spike, i) => spike + (counts ? counts[i] : 0));
    const potentials = potentialsOf(outputs, readout);
    const scores = scoresOf(network.facts, readout, counts, potentials, rule);
    const told = shouldStop(scores, step, timeSteps, rule, margin);
    const winner = argmax(scores);
    yield { step, spikes, counts, potentials, scores, winner, told, threshold };
    if (told) return;
  }
}

/** Name, threshold and start of the readout; the file lists layers in order. */
function readoutOf(facts) {
  const thresholds = Object.entries(facts.v_threshold ?? {});
  if (!thresholds.length) return null;
  const [name, threshold] = thresholds.at(-1);
  return { name, threshold, start: facts.v_0?.[name] ?? 0 };
}

function potentialsOf(outputs, readout) {
  const values = readout && outputs[`v_${readout.name}_out`];
  // The file counts potentials from `v_0`, where they start.
  const lift = (v, i) => v + [readout.start].flat().at(Array.isArray(readout.start) ? i : 0);
  return values ? Array.from(values, lift) : null;
}

/** Spike counts; plus potential over threshold where the network or the rule wants it. */
function scoresOf(facts, readout, counts, potentials, rule) {
  if (!potentials || (facts.readout !== "potential" && rule !== "margin")) return counts;
  const threshold = [readout.threshold].flat();
  return counts.map((n, i) => n + potentials[i] / (threshold[i] ?? threshold[0]));
}

const rounded = (values) => Array.from(values, (value) => Math.round(Number(value)));
const zeros = ({ shape, type }) => new type(shape.reduce((a, b) => a * b, 1));
