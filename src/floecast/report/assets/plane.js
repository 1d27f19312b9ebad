/* The cells of the grid: where they lie, which are ocean, and how places are told. */

class Plane {
  constructor(plane, numbers) {
    Object.assign(this, plane);
    this.numbers = numbers;
    this.cellAt = new Int32Array(this.nx * this.ny).fill(-1);
    const bits = numbers.array("ocean");
    const places = [];
    for (let i = 0; i < this.cellAt.length; i += 1) {
      if (bits[i >> 3] & (128 >> (i & 7))) {
        this.cellAt[i] = places.length;
        places.push(i);
      }
    }
    this.places = Int32Array.from(places);
  }

  get count() {
    return this.places.length;
  }

  /** Centre of an ocean cell [m]. */
  centre(cell) {
    const place = this.places[cell];
    return [
      this.x0 + (place % this.nx) * this.dx,
      this.y0 + Math.floor(place / this.nx) * this.dy,
    ];
  }

  /** The ocean cell that holds a point of the map, or the nearest within two cells; -1 if none. */
  cellNear(x, y) {
    const column = Math.round((x - this.x0) / this.dx);
    const row = Math.round((y - this.y0) / this.dy);
    let best = -1;
    let least = Infinity;
    for (let j = row - 2; j <= row + 2; j += 1) {
      for (let i = column - 2; i <= column + 2; i += 1) {
        if (i < 0 || j < 0 || i >= this.nx || j >= this.ny) continue;
        const cell = this.cellAt[j * this.nx + i];
        const apart = (i - column) ** 2 + (j - row) ** 2;
        if (cell >= 0 && apart < least) [best, least] = [cell, apart];
      }
    }
    return best;
  }

  /** The next ocean cell in a direction of the map, over land if need be; the same if none. */
  step(cell, right, up) {
    const place = this.places[cell];
    let column = place % this.nx;
    let row = Math.floor(place / this.nx);
    for (;;) {
      column += right;
      row += up;
      if (column < 0 || row < 0 || column >= this.nx || row >= this.ny) return cell;
      const found = this.cellAt[row * this.nx + column];
      if (found >= 0) return found;
    }
  }

  geographic(cell) {
    if (!this.numbers.has("latitude")) return null;
    return ["latitude", "longitude"].map((name) => this.numbers.array(name)[cell] / 100);
  }

  /** The ocean cell nearest to a latitude and longitude [degrees]. */
  cellAtDegrees(latitude, longitude) {
    const rad = Math.PI / 180;
    const point = (north, east) => [
      Math.cos(north * rad) * Math.cos(east * rad),
      Math.cos(north * rad) * Math.sin(east * rad),
      Math.sin(north * rad),
    ];
    const wanted = point(latitude, longitude);
    let best = 0;
    let most = -2;
    for (let cell = 0; cell < this.count; cell += 1) {
      const there = point(...this.geographic(cell));
      const cosine = there.reduce((sum, part, i) => sum + part * wanted[i], 0);
      if (cosine > most) [best, most] = [cell, cosine];
    }
    return best;
  }

  /** A place in words. */
  words(cell) {
    const found = this.geographic(cell);
    if (found === null) {
      return this.centre(cell).map((part, i) => `${"xy"[i]} ${(part / 1000).toFixed(0)} km`).join(", ");
    }
    const [north, east] = found;
    return (
      `${Math.abs(north).toFixed(2)}° ${north < 0 ? "S" : "N"}, ` +
      `${Math.abs(east).toFixed(2)}° ${east < 0 ? "W" : "E"}`
    );
  }

  /** Heading of a vector along the axes [degrees clockwise from north]; null off the globe. */
  heading(cell, u, v) {
    if (!this.polar) return null;
    const [x, y] = this.centre(cell);
    const north = (-x * u - y * v) / Math.hypot(x, y);
    const east = (-y * u + x * v) / Math.hypot(x, y);
    return ((Math.atan2(east, north) * 180) / Math.PI + 360) % 360;
  }
}
