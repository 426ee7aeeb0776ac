// A JPEG file as Foveal decodes it: reduced where it is large, then turned upright.

import { draw } from "./browser_image.js";
import { ImageError, requireSize, tooLarge, truncated } from "./faults.js";
import { decodeHuffman } from "./jpeg.js";
import { toRgb } from "./jpeg_colour.js";
import { readJpegHeader } from "./jpeg_header.js";
import { upright } from "./orientation.js";

const MOST_SCANNED_PIXELS = 1 << 30;

/** Returns {width, height, channels, data}, of a JPEG perhaps reduced as Foveal reduces it. */
export async function decodeJpeg(bytes, settings) {
  const header = readJpegHeader(bytes);
  requireSize(header.width, header.height, settings.max_pixels);
  requireFewScans(header);
  const factor = reduction(header, settings);
  const image = huffmanJpeg(bytes, header, factor)
    ?? reduced(await draw(header.plain, header.components === 1 ? 1 : 3, "JPEG"), factor);
  return upright(image, header.orientation);
}

function requireFewScans({ width, height, numScans }) {
  if (numScans > 1 && numScans * width * height > MOST_SCANNED_PIXELS) {
    const [pixels, scans] = [width * height, numScans].map((n) => n.toLocaleString("en"));
    throw tooLarge(`its ${pixels} pixels are coded in ${scans} scans, which would take very long to decode`);
  }
}

/** Returns the image, or null where the browser should try. */
function huffmanJpeg(bytes, { isHuffman, isProgressive, isYcc, hasEnd, components }, factor) {
  const isCut = () => truncated("a JPEG without its end marker, and without all of its image");
  // One cut between two scans looks whole and is coarse.
  if (!hasEnd && (isProgressive || !isHuffman)) throw isCut();
  if (!isHuffman) return null;
  try {
    const image = decodeHuffman(bytes, factor);
    if (components === 3 && isYcc) toRgb(image.data);
    return image;
  } catch (error) {
    if (!(error instanceof ImageError)) throw error;
    if (!hasEnd) throw isCut();
    return null; // decoders forgive more than the standard does
  }
}

/** Returns by how much Foveal's decoder reduces such a JPEG: 1, 2, 4 or 8. */
function reduction({ width, height }, settings) {
  if (!settings.jpeg_reduction) return 1;
  const side = Math.ceil((2 * Math.max(settings.height_px, settings.width_px)) / settings.crop_fraction);
  const scale = Math.min(Math.floor(width / side), Math.floor(height / side));
  return [8, 4, 2, 1].find((one) => scale >= one) ?? 1;
}

/** Averages squares: what the decoder's reduced cosine transform comes close to. */
function reduced(image, factor) {
  if (factor === 1) return image;
  const { width, height, channels, data } = image;
  const [across, down] = [Math.ceil(width / factor), Math.ceil(height / factor)];
  const output = new Uint8Array(across * down * channels);
  for (let row = 0, to = 0; row < down; row++) {
    const stopRow = Math.min(height, (row + 1) * factor);
    for (let column = 0; column < across; column++) {
      const stopColumn = Math.min(width, (column + 1) * factor);
      const count = (stopRow - row * factor) * (stopColumn - column * factor);
      for (let channel = 0; channel < channels; channel++, to++) {
        let sum = count >> 1;
        for (let y = row * factor; y < stopRow; y++) {
          for (let x = column * factor; x < stopColumn; x++) sum += data[(y * width + x) * channels + channel];
        }
        output[to] = Math.floor(sum / count);
      }
    }
  }
  return { width: across, height: down, channels, data: output };
}
