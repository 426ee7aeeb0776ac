// From the bytes of a file to the network's input: what a program needs beside model.onnx.

import { decode } from "./decoding.js";
import { prepare } from "./preprocessing.js";

/** Returns Float32Array [3, H, W] for a Uint8Array; settings as in preprocessing.json. */
export async function prepareFile(bytes, settings) {
  const own = Uint8Array.from(bytes); // Node's Buffer is one whose slices share memory
  return prepare(await decode(own, settings), settings);
}
