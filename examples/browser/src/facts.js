// What the exporter wrote into a file about the network, read without the file's runtime.

/** Facts of an ONNX file: `ModelProto.metadata_props`, field 14, pairs of key (1) and value (2). */
export function onnxFacts(bytes) {
  const facts = {};
  for (const entry of protobufFields(bytes)) {
    if (entry.field !== 14) continue;
    const texts = {};
    for (const part of protobufFields(entry.bytes)) texts[part.field] = decode(part.bytes);
    facts[texts[1]] = texts[2];
  }
  return parsed(facts);
}

/** Facts of a LiteRT file: the buffer of the metadata entry "keras_proxy_snn", as JSON. */
export function litertFacts(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const model = view.getUint32(0, true);
  const buffers = vector(view, model, 4);
  for (const entry of vector(view, model, 6)) {
    const name = offset(view, entry, 0);
    if (name === null || text(bytes, view, name) !== "keras_proxy_snn") continue;
    const number = field(view, entry, 1);
    const data = offset(view, buffers[number === null ? 0 : view.getUint32(number, true)], 0);
    const length = view.getUint32(data, true);
    return parsed(JSON.parse(decode(bytes.subarray(data + 4, data + 4 + length))));
  }
  return {};
}

/** Values that are JSON objects in text become objects. */
function parsed(facts) {
  const value = (fact) => (typeof fact === "string" && /^[[{]/.test(fact) ? JSON.parse(fact) : fact);
  return Object.fromEntries(Object.entries(facts).map(([key, fact]) => [key, value(fact)]));
}

const decode = (bytes) => new TextDecoder().decode(bytes);

/** Fields of a protobuf message whose values have a length; others are skipped. */
function* protobufFields(bytes) {
  let place = 0;
  const varint = () => {
    let value = 0;
    for (let factor = 1; ; factor *= 128) {
      if (place >= bytes.length) throw new Error("The file ends in the middle of a number.");
      const byte = bytes[place];
      place += 1;
      value += (byte & 127) * factor;
      if (byte < 128) return value;
    }
  };
  while (place < bytes.length) {
    const tag = varint();
    const kind = tag % 8;
    if (kind === 0) varint();
    else if (kind === 1) place += 8;
    else if (kind === 5) place += 4;
    else if (kind === 2) {
      const length = varint();
      if (place + length > bytes.length) throw new Error("The file is cut off.");
      yield { field: Math.floor(tag / 8), bytes: bytes.subarray(place, place + length) };
      place += length;
    } else throw new Error("This is not an ONNX file.");
  }
}

/** Place of a flatbuffer table's field by its number, or null. */
function field(view, table, number) {
  const vtable = table - view.getInt32(table, true);
  const slot = 4 + 2 * number;
  const distance = slot < view.getUint16(vtable, true) ? view.getUint16(vtable + slot, true) : 0;
  return distance ? table + distance : null;
}

function offset(view, table, number) {
  const place = field(view, table, number);
  return place === null ? null : place + view.getUint32(place, true);
}

function vector(view, table, number) {
  const start = offset(view, table, number);
  if (start === null) return [];
  const places = Array.from({ length: view.getUint32(start, true) }, (_, i) => start + 4 + 4 * i);
  return places.map((place) => place + view.getUint32(place, true));
}

function text(bytes, view, place) {
  return decode(bytes.subarray(place + 4, place + 4 + view.getUint32(place, true)));
}
