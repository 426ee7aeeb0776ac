// What the first bytes of a file say it is. Its name is never believed.

import { ImageError, unsupported } from "./faults.js";
import { at, little16, little32, latin } from "./bytes.js";

const FOREIGN_IMAGES = [
  [4, "ftypcrx", "a camera raw (CR3) image"],
  [0, "\x00\x00\x00\x0cjP  ", "a JPEG 2000 image"],
  [0, "\xff\x4f\xff\x51", "a JPEG 2000 image"],
  [0, "\xff\x0a", "a JPEG XL image"],
  [0, "\x00\x00\x00\x0cJXL ", "a JPEG XL image"],
  [0, "II\xbc\x01", "a JPEG XR image"],
  [0, "II*\x00\x10\x00\x00\x00CR", "a camera raw (CR2) image"],
  [0, "IIRO", "a camera raw (ORF) image"],
  [0, "IIU\x00", "a camera raw (RW2) image"],
  [0, "FUJIFILM", "a camera raw (RAF) image"],
  [0, "8BPS", "a Photoshop (PSD) image"],
  [0, "gimp xcf", "a GIMP (XCF) image"],
  [0, "\x00\x00\x01\x00", "a Windows icon (ICO) image"],
  [0, "\x76\x2f\x31\x01", "an OpenEXR image"],
  [0, "#?RADIANCE", "a Radiance HDR image"],
  [0, "DDS ", "a DDS image"],
  [0, "qoif", "a QOI image"],
  [0, "SIMPLE  =", "a FITS image"],
  [0, "%!PS", "a PostScript image"],
  [0, "NRRD0", "a NRRD image"],
  [344, "n+1\x00", "a NIfTI image"],
  [344, "ni1\x00", "a NIfTI image"],
];

const FOREIGN_FILES = [
  [0, "%PDF", "a PDF document"],
  [0, "PK\x03\x04", "a ZIP archive or office document"],
  [0, "\x1f\x8b", "gzip-compressed data"],
  [0, "7z\xbc\xaf\x27\x1c", "a 7-Zip archive"],
  [0, "Rar!", "a RAR archive"],
  [0, "\x93NUMPY", "a NumPy array"],
  [0, "\x89HDF", "an HDF5 file"],
  [4, "ftyp", "a video or audio file"],
  [0, "\x1aE\xdf\xa3", "a video file"],
  [0, "\x00\x05\x16\x07", "a macOS metadata file"],
  [0, "\x7fELF", "a program"],
  [0, "MZ", "a program"],
];

/** Returns one of JPEG, PNG, TIFF, WEBP, BMP, GIF, AVIF, HEIC, DICOM. */
export function identify(bytes) {
  if (!bytes.length) throw new ImageError("the file is empty (0 bytes)", "empty_file");
  const known = knownFormat(bytes);
  if (known) return known;
  for (const [offset, magic, name] of FOREIGN_IMAGES) if (at(bytes, offset, magic)) throw unsupported(name);
  if (/^P[1-7]\s/.test(latin(bytes, 0, 3))) throw unsupported("a portable pixmap (PPM/PGM/PBM) image");
  const text = asText(bytes.subarray(0, 1024));
  if (text?.includes("<svg")) throw unsupported("an SVG drawing");
  throw new ImageError(`this is ${describe(bytes, text)}, not an image`, "not_an_image");
}

function knownFormat(bytes) {
  // The preamble of a DICOM file is free, and often holds a TIFF header (PS3.10 7.1).
  if (at(bytes, 128, "DICM\x02\x00")) return "DICOM";
  if (at(bytes, 0, "\xff\xd8\xff")) return "JPEG";
  if (at(bytes, 0, "\x89PNG\r\n\x1a\n")) return "PNG";
  if (["II*\x00", "MM\x00*", "II+\x00", "MM\x00+"].some((magic) => at(bytes, 0, magic))) {
    return at(bytes, 8, "CR") ? null : "TIFF";
  }
  if (at(bytes, 0, "RIFF") && at(bytes, 8, "WEBP")) return "WEBP";
  if (at(bytes, 0, "BM") && at(bytes, 6, "\x00\x00\x00\x00")) return "BMP";
  if (at(bytes, 0, "GIF87a") || at(bytes, 0, "GIF89a")) return "GIF";
  if (at(bytes, 4, "ftyp")) return heifFormat(bytes);
  if (at(bytes, 128, "DICM") || isBareDicom(bytes)) return "DICOM";
  return null;
}

function heifFormat(bytes) {
  const end = Math.min(new DataView(bytes.buffer, bytes.byteOffset).getUint32(0), 512, bytes.length);
  const brands = [latin(bytes, 8, 12)];
  for (let offset = 16; offset + 4 <= end; offset += 4) brands.push(latin(bytes, offset, offset + 4));
  if (["avif", "avis"].includes(brands[0])) return "AVIF";
  if (["hei", "hev"].includes(brands[0].slice(0, 3))) return "HEIC";
  if (["mif1", "msf1"].includes(brands[0])) return brands.some((b) => b.startsWith("avi")) ? "AVIF" : "HEIC";
  return null;
}

function isBareDicom(bytes) {
  if (bytes.length < 64 || ![0x0002, 0x0008].includes(little16(bytes, 0))) return false;
  if (little16(bytes, 2) > 0x0080) return false;
  const form = latin(bytes, 4, 6);
  return ["UL", "UI", "CS", "DA", "TM", "SH", "OB", "LO"].includes(form) || little32(bytes, 4) <= 64;
}

function asText(head) {
  if (head.includes(0)) return null;
  for (let cut = 0; cut < 4; cut++) {
    try {
      const text = new TextDecoder("utf-8", { fatal: true }).decode(head.subarray(0, head.length - cut));
      return /[\x01-\x08\x0b\x0e-\x1f\x7f]/.test(text) ? null : text.toLowerCase();
    } catch {
      // The slice may have split one character.
    }
  }
  return null;
}

function describe(bytes, text) {
  for (const [offset, magic, name] of FOREIGN_FILES) if (at(bytes, offset, magic)) return name;
  if (bytes.subarray(0, 4096).every((byte) => byte === 0)) return "a file of zeros";
  if (text === null) return "data of no known format";
  if (text.includes("<html") || text.includes("<!doctype html")) return "a web page";
  return "text";
}
