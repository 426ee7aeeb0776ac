// Why a file cannot be used, in the words that `foveal predict` uses for the same fault.

export class ImageError extends Error {
  constructor(message, code) {
    super(message);
    this.code = code;
  }
}

export const truncated = (what) => new ImageError(`the file is cut short: ${what}`, "truncated");

export const corrupt = (what) => new ImageError(`the file is damaged: ${what}`, "corrupt");

export const tooLarge = (what) => new ImageError(what, "too_large");

/** A real image that Foveal reads and this page does not. */
export const notHere = (what) =>
  new ImageError(`this is ${what}, which this page does not read; "foveal predict" does`, "unsupported_format");

export const unsupported = (what) =>
  new ImageError(`this is ${what}, which Foveal does not read`, "unsupported_format");

/** Refuses an image that claims too many pixels, before any is decoded. */
export function requireSize(widthPx, heightPx, maxPixels) {
  if (widthPx < 1 || heightPx < 1) {
    throw new ImageError(`the header gives a size of ${widthPx} by ${heightPx} pixels`, "corrupt");
  }
  if (widthPx * heightPx > maxPixels) {
    const said = [widthPx, heightPx, maxPixels].map((n) => n.toLocaleString("en"));
    throw tooLarge(`the image has ${said[0]} by ${said[1]} pixels, more than the ${said[2]} allowed`);
  }
}

const MOST_WORKING_BYTES = 800_000_000;

/** Refuses what would take more memory than Foveal allows one image. */
export function requireAffordable(numBytes) {
  if (numBytes > MOST_WORKING_BYTES) {
    const said = [numBytes, MOST_WORKING_BYTES].map((n) => (n / 1e9).toFixed(1));
    throw tooLarge(`decoding it would take about ${said[0]} GB of memory, more than the ${said[1]} GB allowed`);
  }
}
