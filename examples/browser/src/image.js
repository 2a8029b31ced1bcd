// From a picture to the network's input: the same rules as `on_device.py`.

/** Weights `[new][old]` of linear interpolation that averages what it makes smaller. */
function resampling(from, to) {
  const scale = from / to;
  return Array.from({ length: to }, (_, i) => {
    const centre = (i + 0.5) * scale;
    const weights = Array.from({ length: from }, (_, j) =>
      Math.max(0, 1 - Math.abs(j + 0.5 - centre) / Math.max(1, scale)),
    );
    const sum = weights.reduce((a, b) => a + b, 0);
    return weights.map((weight) => weight / sum);
  });
}

/** Pixel values of black and white. */
export function rangeOf(facts) {
  return (facts.input_range ?? [0, 1]).map((end) => Math.fround(Number(end)));
}

/**
 * Pixels as the network takes them.
 *
 * @param {ImageData} picture Bytes, four per pixel; transparent pixels become 0.
 * @param {{shape, type}} input Shape `[1, height, width, channels]` and type of array.
 * @param {Object} facts What the exporter wrote: an `input_range`; integer networks have an
 *   `input_scale` too.
 * @param {boolean} invert Whether dark drawings on a light ground are turned round.
 */
export function prepare(picture, input, facts, invert) {
  const [, height, width, channels] = input.shape;
  if (channels !== 1 && channels !== 3) {
    throw new Error(`The network takes ${channels} channels; a picture has 1 or 3.`);
  }
  const planes = colours(picture, channels, invert);
  const rows = resampling(picture.height, height);
  const columns = resampling(picture.width, width);
  const values = new Float32Array(height * width * channels);
  planes.forEach((plane, channel) => {
    const narrow = columns.map((weights) =>
      plane.map((row) => weighted(weights, (j) => row[j])),
    );
    for (let y = 0; y < height; y += 1) {
      for (let x = 0; x < width; x += 1) {
        values[(y * width + x) * channels + channel] = weighted(rows[y], (j) => narrow[x][j]);
      }
    }
  });
  const [black, white] = rangeOf(facts);
  const contrast = Math.fround(white - black);
  values.forEach((value, i) => (values[i] = Math.fround(value * contrast) + black));
  if (input.type === Float32Array) return values;
  const scale = Math.fround(Number(facts.input_scale));
  return input.type.from(values, (value) => roundHalfToEven(Math.fround(value * scale)));
}

function weighted(weights, value) {
  return weights.reduce((sum, weight, j) => (weight ? sum + weight * value(j) : sum), 0);
}

/** Planes `[row][column]` of numbers from 0 to 1, one per channel. */
function colours({ data, width, height }, channels, invert) {
  const grey = isGrey(data);
  const value = (place, channel) => {
    const part = (c) => {
      const byte = invert ? 255 - data[place + c] : data[place + c];
      return Math.fround(byte / 255) * (data[place + 3] / 255);
    };
    if (channels === 3) return part(channel);
    return grey ? part(0) : 0.299 * part(0) + 0.587 * part(1) + 0.114 * part(2);
  };
  return Array.from({ length: channels }, (_, channel) =>
    Array.from({ length: height }, (_, y) =>
      Array.from({ length: width }, (_, x) => value(4 * (y * width + x), channel)),
    ),
  );
}

function isGrey(data) {
  for (let i = 0; i < data.length; i += 4) {
    if (data[i] !== data[i + 1] || data[i] !== data[i + 2]) return false;
  }
  return true;
}

/** As NumPy rounds. */
function roundHalfToEven(value) {
  const whole = Math.floor(value);
  const rest = value - whole;
  if (rest === 0.5) return whole % 2 === 0 ? whole : whole + 1;
  return rest > 0.5 ? whole + 1 : whole;
}
