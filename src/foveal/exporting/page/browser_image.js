// WebP, AVIF, GIF, BMP and unusual JPEG, decoded by the browser: no colour profile, no turning, on
// white.

import { at, latin, little16, little32 } from "./bytes.js";
import { corrupt, notHere, requireSize, truncated } from "./faults.js";
import { orientationOfExif } from "./orientation.js";

const BAND_PIXELS = 1 << 22;

export async function decodeWebp(bytes, settings) {
  if (8 + little32(bytes, 4) > bytes.length) {
    const said = [bytes.length, 8 + little32(bytes, 4)].map((n) => n.toLocaleString("en"));
    throw truncated(`${said[0]} of ${said[1]} bytes are there`);
  }
  const kind = latin(bytes, 12, 16);
  let size = [0, 0];
  if (kind === "VP8X") {
    size = [24, 27].map((offset) => 1 + (little32(bytes, offset) & 0xffffff));
    if (bytes[20] & 2) throw notHere("an animated WebP");
  } else if (kind === "VP8L") {
    const bits = little32(bytes, 21);
    size = [1 + (bits & 0x3fff), 1 + ((bits >>> 14) & 0x3fff)];
  } else if (kind === "VP8 ") {
    size = [little16(bytes, 26) & 0x3fff, little16(bytes, 28) & 0x3fff];
  } else {
    throw corrupt("a WebP whose first chunk is no image");
  }
  requireSize(...size, settings.max_pixels);
  const orientation = webpOrientation(bytes);
  if (orientation !== 1) throw notHere("a WebP that its EXIF block turns");
  return draw(new Blob([bytes], { type: "image/webp" }), 3, "WEBP");
}

function webpOrientation(bytes) {
  for (let offset = 12; offset + 8 <= bytes.length; offset += 8 + ((little32(bytes, offset + 4) + 1) & ~1)) {
    if (latin(bytes, offset, offset + 4) === "EXIF") {
      return orientationOfExif(bytes.subarray(offset + 8, offset + 8 + little32(bytes, offset + 4))) ?? 1;
    }
  }
  return 1;
}

export async function decodeGif(bytes, settings) {
  requireSize(little16(bytes, 6), little16(bytes, 8), settings.max_pixels);
  if (countGifImages(bytes) > 1) throw notHere("an animated GIF");
  return draw(new Blob([bytes], { type: "image/gif" }), 3, "GIF");
}

function countGifImages(bytes) {
  const tableBytes = (flags) => (flags & 0x80 ? 3 * (2 << (flags & 7)) : 0);
  const afterBlocks = (start) => {
    let offset = start;
    while (offset < bytes.length) {
      const length = bytes[offset];
      offset += 1 + length;
      if (length === 0) return offset;
    }
    throw truncated("a GIF that ends within a block");
  };
  let count = 0;
  let offset = 13 + tableBytes(bytes[10]);
  while (offset < bytes.length) {
    const introducer = bytes[offset];
    if (introducer === 0x21) {
      offset = afterBlocks(offset + 2);
    } else if (introducer === 0x2c) {
      offset = afterBlocks(offset + 11 + tableBytes(bytes[offset + 9]));
      count += 1;
    } else {
      break;
    }
  }
  if (!count) throw truncated("a GIF that ends after 0 of its images");
  return count;
}

export async function decodeBmp(bytes, settings) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (bytes.length < 26) throw truncated("the BMP data ends before the image does");
  const isOld = view.getUint32(14, true) === 12;
  const size = isOld
    ? [view.getUint16(18, true), view.getUint16(20, true)]
    : [view.getInt32(18, true), Math.abs(view.getInt32(22, true))];
  requireSize(...size, settings.max_pixels);
  const bits = view.getUint16(isOld ? 24 : 28, true);
  if (bits === 32) throw notHere("a BMP of 32 bits a pixel");
  return draw(new Blob([bytes], { type: "image/bmp" }), 3, "BMP");
}

export async function decodeAvif(bytes, settings) {
  if (at(bytes, 8, "avis")) throw notHere("an AVIF with several images");
  return draw(new Blob([bytes], { type: "image/avif" }), 3, "AVIF", settings.max_pixels);
}

/** Returns what the browser makes of a file: {width, height, channels, data}. */
export async function draw(blob, channels, format, maxPixels = Infinity) {
  if (typeof createImageBitmap === "undefined") throw notHere(`${format}, and no browser is here to decode it`);
  let bitmap;
  try {
    bitmap = await createImageBitmap(blob, { colorSpaceConversion: "none", premultiplyAlpha: "none" });
  } catch {
    throw corrupt(`the ${format} data cannot be decoded`);
  }
  const { width, height } = bitmap;
  try {
    requireSize(width, height, maxPixels);
    const data = new Uint8Array(width * height * channels);
    const rows = Math.max(1, Math.min(height, Math.floor(BAND_PIXELS / width)));
    const canvas = new OffscreenCanvas(width, rows);
    const context = canvas.getContext("2d", { willReadFrequently: true, colorSpace: "srgb" });
    if (!context) throw corrupt("the browser gives this page no canvas");
    for (let top = 0, to = 0; top < height; top += rows) {
      const count = Math.min(rows, height - top);
      context.fillStyle = "#ffffff";
      context.fillRect(0, 0, width, count);
      context.drawImage(bitmap, 0, top, width, count, 0, 0, width, count);
      const shown = context.getImageData(0, 0, width, count).data;
      for (let from = 0; from < shown.length; from += 4) {
        for (let channel = 0; channel < channels; channel++) data[to++] = shown[from + channel];
      }
    }
    return { width, height, channels, data };
  } finally {
    bitmap.close();
  }
}
