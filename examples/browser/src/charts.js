// Raster, potentials and scores.

const PALETTE = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8c6bb1", "#7f7f7f"];
const LEFT = 90;

/** A canvas fitted to its width on the screen, cleared; colours follow the page's theme. */
function surface(canvas, height) {
  const scale = window.devicePixelRatio || 1;
  const width = canvas.clientWidth || 600;
  canvas.style.height = `${height}px`;
  canvas.width = width * scale;
  canvas.height = height * scale;
  const pen = canvas.getContext("2d");
  pen.scale(scale, scale);
  pen.font = "13px system-ui, sans-serif";
  pen.textBaseline = "middle";
  return { pen, width, height, text: getComputedStyle(canvas).color };
}

/** A row per class, a column per step; `steps` are results of `simulate`. */
export function drawRaster(canvas, steps, timeSteps, labels) {
  const row = Math.max(14, Math.min(26, 320 / labels.length));
  const { pen, width, text } = surface(canvas, row * labels.length + 24);
  const cell = (width - LEFT - 10) / timeSteps;
  const shown = steps.at(-1);
  labels.forEach((label, i) => {
    const y = (i + 0.5) * row;
    pen.fillStyle = text;
    pen.globalAlpha = shown && shown.winner !== i ? 0.65 : 1;
    pen.fillText(label, 4, y, LEFT - 10);
    pen.fillStyle = PALETTE[i % PALETTE.length];
    for (const { step, spikes } of steps) {
      if (!spikes) continue;
      pen.globalAlpha = spikes[i] ? 1 : 0.12;
      pen.fillRect(LEFT + (step - 1) * cell + 1, y - row / 2 + 2, Math.max(cell - 2, 1), row - 4);
    }
    pen.globalAlpha = 1;
  });
  axis(pen, text, timeSteps, cell, row * labels.length + 12);
}

function axis(pen, text, timeSteps, cell, y) {
  pen.fillStyle = text;
  const stride = Math.max(1, Math.ceil(30 / cell));
  for (let step = 1; step <= timeSteps; step += stride) {
    pen.fillText(String(step), LEFT + (step - 0.5) * cell - 4, y);
  }
  pen.fillText("time step", 4, y);
}

/** A line per class. */
export function drawPotentials(canvas, steps, timeSteps, labels) {
  const { pen, width, height, text } = surface(canvas, 180);
  const known = steps.filter(({ potentials }) => potentials);
  pen.fillStyle = text;
  if (!known.length) {
    pen.fillText("This file gives no potentials: the form step does.", 4, 20);
    return;
  }
  const all = known.flatMap(({ potentials }) => potentials);
  const { threshold } = known.at(-1);
  // Classes that are far below the threshold would press the others flat.
  const low = Math.max(-2 * threshold, Math.min(0, ...all));
  const high = Math.max(threshold, ...all);
  const span = high - low;
  const cell = (width - LEFT - 10) / timeSteps;
  const place = (value) => height - 20 - ((Math.max(value, low) - low) / span) * (height - 40);
  pen.strokeStyle = text;
  for (const [value, dash] of [[0, []], [threshold, [6, 4]]]) {
    pen.setLineDash(dash);
    pen.beginPath();
    pen.moveTo(LEFT, place(value));
    pen.lineTo(width - 10, place(value));
    pen.stroke();
    pen.fillText(Number(value.toPrecision(3)), 4, place(value));
  }
  pen.setLineDash([]);
  labels.forEach((_, i) => {
    pen.strokeStyle = PALETTE[i % PALETTE.length];
    pen.lineWidth = known.at(-1).winner === i ? 3 : 1.2;
    pen.beginPath();
    known.forEach(({ step, potentials }) => pen.lineTo(LEFT + (step - 0.5) * cell, place(potentials[i])));
    pen.stroke();
  });
}

/** Rows of the table of scores. */
export function fillScores(body, { counts, scores, winner }, labels) {
  body.replaceChildren(
    ...labels.map((label, i) => {
      const row = document.createElement("tr");
      row.className = winner === i ? "winner" : "";
      for (const value of [label, counts[i], Number(scores[i].toFixed(3))]) {
        row.insertCell().textContent = String(value);
      }
      return row;
    }),
  );
}

/** The image as the network sees it, enlarged. */
export function drawSeen(canvas, pixels, [, height, width, channels], [black, white], scale) {
  const small = new ImageData(width, height);
  for (let i = 0; i < width * height; i += 1) {
    for (let c = 0; c < 3; c += 1) {
      const pixel = pixels[i * channels + (channels === 3 ? c : 0)] / scale;
      small.data[4 * i + c] = ((pixel - black) / (white - black)) * 255;
    }
    small.data[4 * i + 3] = 255;
  }
  const sheet = new OffscreenCanvas(width, height);
  sheet.getContext("2d").putImageData(small, 0, 0);
  const pen = canvas.getContext("2d");
  pen.imageSmoothingEnabled = false;
  pen.drawImage(sheet, 0, 0, canvas.width, canvas.height);
}
