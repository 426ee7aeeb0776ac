// EXIF orientation: where it is written, and how it is undone.

import { at, latin } from "./bytes.js";

const ORIENTATION = 0x0112;
const IN_XMP = /tiff:Orientation(?:="|>)([0-9])/;

/** Returns 1 to 8 from an EXIF block (a TIFF header and its first directory), or null. */
export function orientationOfExif(block) {
  let bytes = block;
  if (at(bytes, 0, "Exif\x00\x00")) bytes = bytes.subarray(6);
  const isLittle = at(bytes, 0, "II");
  if (!isLittle && !at(bytes, 0, "MM")) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  try {
    const start = view.getUint32(4, isLittle);
    const count = view.getUint16(start, isLittle);
    for (let n = 0; n < count; n++) {
      const entry = start + 2 + 12 * n;
      if (view.getUint16(entry, isLittle) !== ORIENTATION) continue;
      const form = view.getUint16(entry + 2, isLittle);
      if (form === 3) return view.getUint16(entry + 8, isLittle);
      return form === 4 ? view.getUint32(entry + 8, isLittle) : null;
    }
  } catch {
    return null; // a broken EXIF block does no harm to the image
  }
  return null;
}

export function orientationOfXmp(bytes) {
  const match = IN_XMP.exec(typeof bytes === "string" ? bytes : latinWhole(bytes));
  return match ? Number(match[1]) : null;
}

function latinWhole(bytes) {
  let text = "";
  for (let start = 0; start < bytes.length; start += 8192) text += latin(bytes, start, start + 8192);
  return text;
}

/** Returns the image upright: {width, height, channels, data} of any kind of data. */
export function upright(image, orientation) {
  if (!(orientation >= 2 && orientation <= 8)) return image;
  const { width, height, channels, data } = image;
  const isSideways = orientation >= 5;
  const [newWidth, newHeight] = isSideways ? [height, width] : [width, height];
  const turned = new data.constructor(data.length);
  const mirrorsColumn = [2, 3, 7, 8].includes(orientation);
  const mirrorsRow = [3, 4, 6, 7].includes(orientation);
  for (let row = 0, to = 0; row < newHeight; row++) {
    for (let column = 0; column < newWidth; column++) {
      let [y, x] = isSideways ? [column, row] : [row, column];
      if (mirrorsColumn) x = width - 1 - x;
      if (mirrorsRow) y = height - 1 - y;
      let from = (y * width + x) * channels;
      for (let channel = 0; channel < channels; channel++) turned[to++] = data[from++];
    }
  }
  return { ...image, width: newWidth, height: newHeight, data: turned };
}
