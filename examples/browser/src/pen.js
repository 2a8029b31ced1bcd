// Drawing by mouse, finger or keyboard.

const STROKE = 18;
const MOVE = 8;

/** Let a person draw white on black; `changed` is called after each stroke. */
export function attachPen(canvas, changed) {
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  let place = { x: canvas.width / 2, y: canvas.height / 2 };
  let drawing = false;

  const clear = () => {
    pen.fillStyle = "#000";
    pen.fillRect(0, 0, canvas.width, canvas.height);
  };
  const lineTo = (next) => {
    Object.assign(pen, { strokeStyle: "#fff", lineWidth: STROKE, lineCap: "round" });
    pen.beginPath();
    pen.moveTo(place.x, place.y);
    pen.lineTo(next.x, next.y);
    pen.stroke();
    place = next;
  };
  const at = (event) => {
    const box = canvas.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  };
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    drawing = true;
    place = at(event);
    lineTo(place);
  });
  canvas.addEventListener("pointermove", (event) => drawing && lineTo(at(event)));
  canvas.addEventListener("pointerup", () => {
    drawing = false;
    changed();
  });
  let down = false;
  canvas.addEventListener("keyup", (event) => (down = event.key === " " ? false : down));
  canvas.addEventListener("keydown", (event) => {
    const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    if (event.key === " ") down = true;
    else if (event.key === "Delete") clear();
    else if (!moves[event.key]) return;
    event.preventDefault();
    const [dx, dy] = moves[event.key] ?? [0, 0];
    const next = { x: place.x + MOVE * dx, y: place.y + MOVE * dy };
    if (down) lineTo(next);
    place = next;
    changed();
  });
  clear();
  return { clear, picture: () => pen.getImageData(0, 0, canvas.width, canvas.height) };
}
