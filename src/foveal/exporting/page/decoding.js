// The one door from bytes to an upright image.

import { notHere } from "./faults.js";
import { identify } from "./formats.js";
import { decodeAvif, decodeBmp, decodeGif, decodeWebp } from "./browser_image.js";
import { decodeDicom } from "./dicom.js";
import { decodeJpeg } from "./jpeg_image.js";
import { decodePng } from "./png.js";

const DECODERS = {
  AVIF: decodeAvif,
  BMP: decodeBmp,
  DICOM: decodeDicom,
  GIF: decodeGif,
  JPEG: decodeJpeg,
  PNG: decodePng,
  WEBP: decodeWebp,
};
const NAMES = { TIFF: "a TIFF", HEIC: "a HEIC image" };

/** Returns {width, height, channels, data, format}: Uint8Array, or Float32Array in [0, 1]. */
export async function decode(bytes, settings) {
  const format = identify(bytes);
  if (!DECODERS[format]) throw notHere(NAMES[format]);
  return { ...(await DECODERS[format](bytes, settings)), format };
}
