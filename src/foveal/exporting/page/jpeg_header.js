// A JPEG by its markers (ITU-T T.81, annex B): what is announced, and what a browser may be given.

import { at, big16 } from "./bytes.js";
import { corrupt, notHere, truncated, unsupported } from "./faults.js";
import { orientationOfExif, orientationOfXmp } from "./orientation.js";

const START_OF_SCAN = 0xda;
const END_OF_IMAGE = 0xd9;
const READABLE_FRAMES = [0xc0, 0xc1, 0xc2, 0xc9, 0xca];
const NO_FRAMES = [0xc4, 0xc8, 0xcc];
const XMP = "http://ns.adobe.com/xap/1.0/\0";

/** Returns size, number of components, orientation, and the file without what turns or colours it. */
export function readJpegHeader(bytes) {
  const header = { components: 0, hasJfif: false, hasRgbNames: false };
  const kept = [bytes.subarray(0, 2)];
  let offset = 2;
  for (;;) {
    if (offset + 4 > bytes.length) throw truncated("a JPEG that ends within its header");
    if (bytes[offset] !== 0xff) throw corrupt("a JPEG segment does not begin where the one before it ends");
    const marker = bytes[offset + 1];
    if (marker === 0xff) {
      offset += 1;
      continue;
    }
    if (marker === START_OF_SCAN) break;
    if (marker === END_OF_IMAGE) throw corrupt("a JPEG without an image");
    const stop = offset + 2 + big16(bytes, offset + 2);
    const body = bytes.subarray(offset + 4, stop);
    if (marker >= 0xc0 && marker <= 0xcf && !NO_FRAMES.includes(marker)) readFrame(header, marker, body);
    if (marker === 0xe1 && at(body, 0, "Exif\0")) header.exif ??= orientationOfExif(body);
    if (marker === 0xe1 && at(body, 0, XMP)) header.xmp ??= orientationOfXmp(body);
    if (marker === 0xe0 && at(body, 0, "JFIF\0")) header.hasJfif = true;
    if (marker === 0xee && at(body, 0, "Adobe")) header.adobeTransform = body[11];
    // EXIF would turn it and a colour profile would change its colours; Foveal does the first
    // itself, and does not apply profiles.
    if (![0xe1, 0xe2].includes(marker)) kept.push(bytes.subarray(offset, stop));
    offset = stop;
  }
  if (!header.components) throw corrupt("a JPEG whose image comes before its size");
  header.numScans = countScans(bytes, offset);
  if (header.components === 4) throw notHere("a JPEG in CMYK");
  kept.push(bytes.subarray(offset));
  return {
    ...header, hasEnd: hasEnd(bytes, offset), isYcc: isYcc(header), orientation: header.exif ?? header.xmp ?? 1,
    plain: new Blob(kept, { type: "image/jpeg" }),
  };
}

/** Whether three components are Y, Cb and Cr, as decoders have agreed to guess it. */
function isYcc({ hasJfif, adobeTransform, hasRgbNames }) {
  if (hasJfif) return true;
  return adobeTransform === undefined ? !hasRgbNames : adobeTransform === 1;
}

function readFrame(header, marker, body) {
  if (!READABLE_FRAMES.includes(marker)) throw unsupported("a lossless or hierarchical JPEG");
  if (body.length < 6) throw truncated("a JPEG that ends within its header");
  if (body[0] !== 8) throw unsupported(`a JPEG with ${body[0]} bits a sample`);
  [header.height, header.width, header.components] = [big16(body, 1), big16(body, 3), body[5]];
  header.isProgressive = marker === 0xc2;
  header.isHuffman = marker <= 0xc2;
  header.hasRgbNames = at(body, 6, "R") && at(body, 9, "G") && at(body, 12, "B");
}

function countScans(bytes, start) {
  let count = 0;
  for (let at = start; at + 1 < bytes.length; at++) if (bytes[at] === 0xff && bytes[at + 1] === START_OF_SCAN) count++;
  return count;
}

function hasEnd(bytes, start) {
  for (let offset = bytes.length - 2; offset >= start; offset--) {
    if (bytes[offset] === 0xff && bytes[offset + 1] === END_OF_IMAGE) return true;
  }
  return false;
}
