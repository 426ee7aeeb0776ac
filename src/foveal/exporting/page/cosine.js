// The inverse cosine transform of a JPEG's block, whole or reduced, in the whole numbers of the
// common decoder: Loeffler, Ligtenberg and Moschytz (1989) with 13 fractional bits, columns first.
// Reduced ones are the same transform of which only the low frequencies are kept.

const FRACTION_BITS = 13;
const PASS_BITS = 2;

const fixed = (value) => Math.round(value * (1 << FRACTION_BITS));
const clipped = (level) => (level < 0 ? 0 : level > 255 ? 255 : level);

const C = {
  a: fixed(0.298631336), b: fixed(0.390180644), c: fixed(0.5411961), d: fixed(0.765366865),
  e: fixed(0.899976223), f: fixed(1.175875602), g: fixed(1.50132111), h: fixed(1.847759065),
  i: fixed(1.961570560), j: fixed(2.053119869), k: fixed(2.562915447), l: fixed(3.072711026),
};
const FOUR = {
  a: fixed(0.211164243), b: fixed(0.509795579), c: fixed(0.601344887), d: fixed(0.899976223),
  e: fixed(1.061594337), f: fixed(1.451774981), g: fixed(2.172734803), h: fixed(2.562915447),
};
const TWO = { a: fixed(0.720959822), b: fixed(0.850430095), c: fixed(1.27275858), d: fixed(3.624509785) };

const line = new Int32Array(8);
const work = new Int32Array(64);

/** Eight values of `line` become eight, in place; `shift` bits are rounded away. */
function eight(shift) {
  const [x0, x1, x2, x3, x4, x5, x6, x7] = line;
  const turn = Math.imul(x2 + x6, C.c);
  const even2 = turn - Math.imul(x6, C.h);
  const even3 = turn + Math.imul(x2, C.d);
  const even0 = (x0 + x4) << FRACTION_BITS;
  const even1 = (x0 - x4) << FRACTION_BITS;
  const all = Math.imul(x7 + x3 + x5 + x1, C.f);
  const z1 = -Math.imul(x7 + x1, C.e);
  const z2 = -Math.imul(x5 + x3, C.k);
  const z3 = all - Math.imul(x7 + x3, C.i);
  const z4 = all - Math.imul(x5 + x1, C.b);
  const odd0 = Math.imul(x7, C.a) + z1 + z3;
  const odd1 = Math.imul(x5, C.j) + z2 + z4;
  const odd2 = Math.imul(x3, C.l) + z2 + z3;
  const odd3 = Math.imul(x1, C.g) + z1 + z4;
  const half = 1 << (shift - 1);
  line[0] = (even0 + even3 + odd3 + half) >> shift;
  line[7] = (even0 + even3 - odd3 + half) >> shift;
  line[1] = (even1 + even2 + odd2 + half) >> shift;
  line[6] = (even1 + even2 - odd2 + half) >> shift;
  line[2] = (even1 - even2 + odd1 + half) >> shift;
  line[5] = (even1 - even2 - odd1 + half) >> shift;
  line[3] = (even0 - even3 + odd0 + half) >> shift;
  line[4] = (even0 - even3 - odd0 + half) >> shift;
}

function four(lastShift) {
  const shift = lastShift + 1;
  const [x0, x1, x2, x3, , x5, x6, x7] = line;
  const first = x0 << (FRACTION_BITS + 1);
  const even = Math.imul(x2, C.h) - Math.imul(x6, C.d);
  const odd0 = Math.imul(x5, FOUR.f) - Math.imul(x7, FOUR.a) - Math.imul(x3, FOUR.g) + Math.imul(x1, FOUR.e);
  const odd1 = Math.imul(x3, FOUR.d) - Math.imul(x7, FOUR.b) - Math.imul(x5, FOUR.c) + Math.imul(x1, FOUR.h);
  const half = 1 << (shift - 1);
  line[0] = (first + even + odd1 + half) >> shift;
  line[3] = (first + even - odd1 + half) >> shift;
  line[1] = (first - even + odd0 + half) >> shift;
  line[2] = (first - even - odd0 + half) >> shift;
}

function two(lastShift) {
  const shift = lastShift + 2;
  const [x0, x1, , x3, , x5, , x7] = line;
  const first = x0 << (FRACTION_BITS + 2);
  const odd = Math.imul(x5, TWO.b) - Math.imul(x7, TWO.a) - Math.imul(x3, TWO.c) + Math.imul(x1, TWO.d);
  const half = 1 << (shift - 1);
  line[0] = (first + odd + half) >> shift;
  line[1] = (first - odd + half) >> shift;
}

/** Writes the pixels [size, size] of a block of coefficients [8, 8] into a plane. */
function inSteps(size, transform) {
  return (values, plane, start, stride) => {
    for (let column = 0; column < 8; column++) {
      for (let n = 0; n < 8; n++) line[n] = values[n * 8 + column];
      transform(FRACTION_BITS - PASS_BITS);
      for (let n = 0; n < size; n++) work[n * 8 + column] = line[n];
    }
    for (let row = 0; row < size; row++) {
      for (let n = 0; n < 8; n++) line[n] = work[row * 8 + n];
      transform(FRACTION_BITS + PASS_BITS + 3);
      for (let n = 0; n < size; n++) plane[start + row * stride + n] = clipped(line[n] + 128);
    }
  };
}

/** By the side of the result: 8 is whole. */
export const INVERSES = {
  8: inSteps(8, eight),
  4: inSteps(4, four),
  2: inSteps(2, two),
  1: (values, plane, start) => {
    plane[start] = clipped(((values[0] + 4) >> 3) + 128);
  },
};
