/* Inflate, RFC 1951. The browser's own would answer later: this one is done before the page counts
   as loaded, so that what prints at once prints its maps. */

/** Table from the next bits to symbol and length of its code, from the lengths of all codes. */
function codeTable(lengths) {
  const longest = Math.max(1, ...lengths);
  const table = new Uint16Array(1 << longest);
  let code = 0;
  for (let length = 1; length <= longest; length += 1) {
    for (let symbol = 0; symbol < lengths.length; symbol += 1) {
      if (lengths[symbol] !== length) continue;
      // Codes come with their first bit lowest.
      let reversed = 0;
      for (let bit = 0; bit < length; bit += 1) reversed |= ((code >> bit) & 1) << (length - 1 - bit);
      for (let at = reversed; at < table.length; at += 1 << length) table[at] = (symbol << 4) | length;
      code += 1;
    }
    code <<= 1;
  }
  return { table, longest };
}

/** Base and number of extra bits of the codes of lengths or distances. */
function ranges(first, count, extraOf) {
  const made = [];
  let base = first;
  for (let number = 0; number < count; number += 1) {
    made.push([base, extraOf(number)]);
    base += 1 << extraOf(number);
  }
  return made;
}

const MATCHES = [...ranges(3, 28, (number) => Math.max(0, (number >> 2) - 1)), [258, 0]];
const DISTANCES = ranges(1, 30, (number) => Math.max(0, (number >> 1) - 1));
const LENGTH_ORDER = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

/** The bytes of a zlib stream that holds `size` of them. */
function inflate(packed, size) {
  const bytes = new Uint8Array(size);
  let at = 2; // after the head of zlib
  let end = 0;
  let bits = 0;
  let held = 0;

  const need = (count) => {
    for (; held < count; held += 8, at += 1) bits |= packed[at] << held;
  };
  const take = (count) => {
    need(count);
    const value = bits & ((1 << count) - 1);
    bits >>>= count;
    held -= count;
    return value;
  };
  const symbol = ({ table, longest }) => {
    need(longest);
    const found = table[bits & ((1 << longest) - 1)];
    bits >>>= found & 15;
    held -= found & 15;
    return found >> 4;
  };
  const stored = () => {
    // Back to the byte after those that were begun.
    at -= held >> 3;
    bits = 0;
    held = 0;
    const count = packed[at] | (packed[at + 1] << 8);
    bytes.set(packed.subarray(at + 4, at + 4 + count), end);
    at += 4 + count;
    end += count;
  };
  const describedTables = () => {
    const literals = take(5) + 257;
    const distances = take(5) + 1;
    const count = take(4) + 4;
    const of = new Array(19).fill(0);
    for (let number = 0; number < count; number += 1) of[LENGTH_ORDER[number]] = take(3);
    const coder = codeTable(of);
    const lengths = [];
    while (lengths.length < literals + distances) {
      const found = symbol(coder);
      if (found < 16) lengths.push(found);
      else {
        const again = found === 16 ? lengths[lengths.length - 1] : 0;
        const times = found === 16 ? 3 + take(2) : found === 17 ? 3 + take(3) : 11 + take(7);
        for (let number = 0; number < times; number += 1) lengths.push(again);
      }
    }
    return [codeTable(lengths.slice(0, literals)), codeTable(lengths.slice(literals))];
  };
  const fixedTables = () => {
    const lengths = Array.from({ length: 288 }, (_, i) => (i < 144 ? 8 : i < 256 ? 9 : i < 280 ? 7 : 8));
    return [codeTable(lengths), codeTable(new Array(30).fill(5))];
  };
  const coded = ([literals, distances]) => {
    for (;;) {
      const found = symbol(literals);
      if (found === 256) return;
      if (found < 256) {
        bytes[end] = found;
        end += 1;
        continue;
      }
      const [length, extra] = MATCHES[found - 257];
      const until = end + length + take(extra);
      const [far, more] = DISTANCES[symbol(distances)];
      const back = far + take(more);
      for (; end < until; end += 1) bytes[end] = bytes[end - back];
    }
  };

  for (let last = 0; last === 0; ) {
    last = take(1);
    const kind = take(2);
    if (kind === 0) stored();
    else coded(kind === 1 ? fixedTables() : describedTables());
  }
  if (end !== size) throw new Error(`the numbers of this page are damaged: ${end} of ${size} bytes`);
  return bytes;
}
