/* The numbers of the page: unpacked once, then read by name, time, index and cell. */

const ARRAYS = { u1: Uint8Array, u2: Uint16Array, i2: Int16Array };
const MISSING = { u1: 255, u2: 65535 };

/** The `size` bytes that stand as compressed base64 in the page. */
function unpack(text, size) {
  const letters = atob(text.trim());
  const packed = new Uint8Array(letters.length);
  for (let i = 0; i < packed.length; i += 1) packed[i] = letters.charCodeAt(i);
  return inflate(packed, size).buffer;
}

class Numbers {
  constructor(buffer, entries) {
    this.buffer = buffer;
    this.entries = entries;
    this.arrays = new Map();
  }

  has(name) {
    return name in this.entries;
  }

  /** The array of a name as stored: codes of values, or points of lines. */
  array(name) {
    if (!this.arrays.has(name)) {
      const { at, kind, shape, delta } = this.entries[name];
      const count = shape.reduce((product, size) => product * size, 1);
      const array = new ARRAYS[kind](this.buffer, at, count).slice();
      if (delta) {
        // Differences in time; typed arrays wrap round as the ones that were packed did.
        const row = count / shape[0];
        for (let i = row; i < count; i += 1) array[i] += array[i - row];
      }
      this.arrays.set(name, array);
    }
    return this.arrays.get(name);
  }

  /** The codes of all cells at a time; `index` is of the second axis of arrays with three. */
  row(name, time, index = null) {
    const { shape } = this.entries[name];
    const cells = shape[shape.length - 1];
    // What does not change with time is stored once.
    let row = Math.min(time, shape[0] - 1);
    if (shape.length === 3) row = row * shape[1] + index;
    return this.array(name).subarray(row * cells, (row + 1) * cells);
  }

  /** The value that a code of an array stands for, null where it is missing. */
  decoded(name, code) {
    const { kind, step, offset } = this.entries[name];
    return code === MISSING[kind] ? null : offset + step * code;
  }

  value(name, time, cell, index = null) {
    return this.decoded(name, this.row(name, time, index)[cell]);
  }

  /** Lines as arrays of points [x, y, x, y ...] in metres. */
  lines(name, unit) {
    const key = `${name} in metres`;
    if (!this.arrays.has(key)) {
      const flat = this.array(name);
      const count = flat.length / 2;
      const lines = [];
      let line = [];
      for (let i = 0; i < count; i += 1) {
        if (flat[i] === -32768) {
          lines.push(line);
          line = [];
        } else {
          line.push(flat[i] * unit, flat[count + i] * unit);
        }
      }
      this.arrays.set(key, lines);
    }
    return this.arrays.get(key);
  }
}
