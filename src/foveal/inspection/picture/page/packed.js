"use strict";
/* Reads JSON that stands in the page gzipped, in base64. */
const packed = (() => {
  async function read(text) {
    const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Response(stream).json();
  }
  return { read };
})();
