/* Maps on a canvas: a field in steps of colour, land, graticule, edges, drift and marks. */

const INK = {
  land: "#d9d4c8",
  coast: "#6b665c",
  outside: "#e9ecee",
  graticule: "rgba(125, 138, 147, 0.55)",
  label: "#3f4a52",
  median: "#e69f00",
  band: "rgba(255, 176, 0, 0.5)",
  limits: "#c47a00",
  start: "#111111",
  truth: "#d6267f",
  drift: "#0b1d26",
  drifter: "#6a00a8",
};

class IceMap {
  /** `small` leaves out labels and thins the lines. */
  constructor(canvas, header, numbers, plane, small = false) {
    Object.assign(this, { canvas, header, numbers, plane, small });
    this.context = canvas.getContext("2d");
    this.image = document.createElement("canvas");
    this.image.width = plane.nx;
    this.image.height = plane.ny;
  }

  /** Give the canvas as many pixels as the screen shows of it; true if there are any. */
  fit() {
    const width = this.canvas.clientWidth || Number(this.canvas.dataset.width);
    const density = Math.min(2, window.devicePixelRatio || 1);
    this.side = width;
    this.canvas.width = Math.round(width * density);
    this.canvas.height = this.canvas.width;
    this.context.setTransform(density, 0, 0, density, 0, 0);
  }

  /** Pixels of a point of the map [m]. */
  pixel(x, y) {
    const [west, east, south, north] = this.plane.window;
    return [
      ((x - west) / (east - west)) * this.side,
      ((north - y) / (north - south)) * this.side,
    ];
  }

  /** Point of the map [m] under a mouse event. */
  point(event) {
    const box = this.canvas.getBoundingClientRect();
    const [west, east, south, north] = this.plane.window;
    return [
      west + ((event.clientX - box.left) / box.width) * (east - west),
      north - ((event.clientY - box.top) / box.height) * (north - south),
    ];
  }

  /** Draw a layer at a time; `more` are functions that draw on top of land. */
  draw(layer, time, { band = null, more = [] } = {}) {
    this.fit();
    const { context, side } = this;
    context.fillStyle = INK.outside;
    context.fillRect(0, 0, side, side);
    const empty = this.field(layer, time);
    if (band !== null) {
      this.area(`band_${band}`, INK.band);
      this.line(`limits_${band}`, INK.limits, this.small ? 0.4 : 0.9);
    }
    if (this.plane.polar) {
      this.line("graticule", INK.graticule, this.small ? 0.3 : 0.6);
      this.area("land", INK.land, INK.coast, this.small ? 0.3 : 0.7);
    }
    if (this.plane.polar && !this.small) this.labels();
    for (const draw of more) draw(this);
    if (empty) this.note("no data for this time");
  }

  /** Colour the cells; true if no cell has a value. */
  field(layer, time) {
    const { nx, ny, places } = this.plane;
    const pixels = this.image.getContext("2d").createImageData(nx, ny);
    const colours = layer.colours.map((text) =>
      [1, 3, 5].map((at) => parseInt(text.slice(at, at + 2), 16)),
    );
    const span = layer.upper - layer.lower;
    const codes = this.numbers.row(layer.entry, time, layer.index);
    const ice = layer.ofIce ? this.numbers.row("concentration", time) : null;
    let empty = true;
    for (let cell = 0; cell < places.length; cell += 1) {
      let value = this.numbers.decoded(layer.entry, codes[cell]);
      if (value === null) continue;
      empty = false;
      // Open water has no thickness.
      if (ice && !(this.numbers.decoded("concentration", ice[cell]) > this.header.iceShown)) value = 0;
      const step = Math.floor(((value - layer.lower) / span) * colours.length + 1e-9);
      const [red, green, blue] = colours[Math.max(0, Math.min(colours.length - 1, step))];
      const row = ny - 1 - Math.floor(places[cell] / nx);
      const at = 4 * (row * nx + (places[cell] % nx));
      pixels.data[at] = red;
      pixels.data[at + 1] = green;
      pixels.data[at + 2] = blue;
      pixels.data[at + 3] = 255;
    }
    this.image.getContext("2d").putImageData(pixels, 0, 0);
    const { x0, y0, dx, dy } = this.plane;
    const [left, top] = this.pixel(x0 - dx / 2, y0 + (ny - 0.5) * dy);
    const [right, bottom] = this.pixel(x0 + (nx - 0.5) * dx, y0 - dy / 2);
    this.context.imageSmoothingEnabled = false;
    this.context.drawImage(this.image, left, top, right - left, bottom - top);
    return empty;
  }

  path(name, close) {
    const path = new Path2D();
    for (const line of this.numbers.lines(name, this.plane.unit)) {
      for (let i = 0; i < line.length; i += 2) {
        const place = this.pixel(line[i], line[i + 1]);
        if (i === 0) path.moveTo(...place);
        else path.lineTo(...place);
      }
      if (close) path.closePath();
    }
    return path;
  }

  area(name, fill, stroke = null, width = 1) {
    const path = this.path(name, true);
    this.context.fillStyle = fill;
    this.context.fill(path, "evenodd");
    if (stroke !== null) this.stroke(path, stroke, width);
  }

  /** A line; `casing` is a pale border that keeps it readable on every colour. */
  line(name, colour, width, dash = [], casing = false) {
    if (!this.numbers.has(name)) return;
    const path = this.path(name, false);
    if (casing) this.stroke(path, "rgba(255, 255, 255, 0.9)", width + 1.4);
    this.stroke(path, colour, width, dash);
  }

  stroke(path, colour, width, dash = []) {
    const { context } = this;
    context.strokeStyle = colour;
    context.lineWidth = width;
    context.lineJoin = "round";
    context.setLineDash(dash);
    context.stroke(path);
    context.setLineDash([]);
  }

  labels() {
    for (const [x, y, text] of this.plane.labels) this.text(text, ...this.pixel(x, y), 11);
  }

  text(text, x, y, size, colour = INK.label, weight = "") {
    const { context } = this;
    context.font = `${weight} ${size}px system-ui, "Liberation Sans", Arial, sans-serif`;
    context.textAlign = "center";
    context.textBaseline = "middle";
    context.lineWidth = 3;
    context.strokeStyle = "rgba(255, 255, 255, 0.85)";
    context.strokeText(text, x, y);
    context.fillStyle = colour;
    context.fillText(text, x, y);
  }

  note(text) {
    this.text(text, this.side / 2, this.side * 0.45, 17, "#16232c", "bold");
  }

  /** Arrows of drift where there is ice; fewer where `ellipses` at their tips need the room. */
  drift(time, speed, ellipses) {
    const { numbers, plane } = this;
    const apart = Math.max(1, Math.round((ellipses ? 450e3 : 250e3) / plane.dx));
    const [west, east] = plane.window;
    // The arrow of `speed` is 300 km long.
    const scale = (300e3 / (east - west)) * (this.side / speed);
    for (let row = apart >> 1; row < plane.ny; row += apart) {
      for (let column = apart >> 1; column < plane.nx; column += apart) {
        const cell = plane.cellAt[row * plane.nx + column];
        if (cell < 0 || numbers.value("concentration", time, cell) <= this.header.iceEdge) continue;
        const [u, v] = ["u", "v"].map((name) => numbers.value(name, time, cell));
        if (u === null || v === null) continue;
        const [x, y] = this.pixel(...plane.centre(cell));
        const tip = [x + u * scale, y - v * scale];
        this.arrow(x, y, ...tip);
        if (ellipses) {
          const [major, minor, angle] = ["major", "minor", "angle"].map((name) =>
            numbers.value(`ellipse_${name}`, time, cell),
          );
          const path = new Path2D();
          path.ellipse(...tip, major * scale, minor * scale, (-angle * Math.PI) / 180, 0, 2 * Math.PI);
          this.stroke(path, "rgba(11, 29, 38, 0.75)", 0.8);
        }
      }
    }
    if (!this.small) this.arrowKey(speed, speed * scale);
  }

  /** An arrow of known speed in the lower right corner. */
  arrowKey(speed, length) {
    const { context, side } = this;
    const text = `drift ${speed} m/s`;
    const wide = Math.max(length, 84) + 20;
    context.fillStyle = "rgba(255, 255, 255, 0.85)";
    context.fillRect(side - wide - 8, side - 50, wide, 42);
    this.arrow(side - wide + 2, side - 22, side - wide + 2 + length, side - 22);
    this.text(text, side - wide / 2 - 8, side - 38, 12, "#16232c");
  }

  arrow(x, y, toX, toY) {
    const length = Math.hypot(toX - x, toY - y);
    if (length < 0.5) return;
    const head = Math.min(5, 0.45 * length);
    const angle = Math.atan2(toY - y, toX - x);
    const path = new Path2D();
    path.moveTo(x, y);
    path.lineTo(toX, toY);
    for (const side of [2.6, -2.6]) {
      path.moveTo(toX, toY);
      path.lineTo(toX + head * Math.cos(angle + side), toY + head * Math.sin(angle + side));
    }
    this.stroke(path, "rgba(255, 255, 255, 0.75)", 3);
    this.stroke(path, INK.drift, 1.3);
  }

  /** A mark of a chosen place, or a thinner one of a place that is looked at. */
  cross(cell, chosen) {
    const [x, y] = this.pixel(...this.plane.centre(cell));
    const path = new Path2D();
    const [near, far] = this.small ? [2, 5] : [5, 13];
    for (const [right, down] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
      path.moveTo(x + near * right, y + near * down);
      path.lineTo(x + far * right, y + far * down);
    }
    this.stroke(path, "#ffffff", chosen ? 5 : 3.5);
    this.stroke(path, chosen ? "#c00000" : "#111111", chosen ? 2.4 : 1.4);
  }

  /** Ways of the drifters up to a time: their mean, and where the members are. */
  drifters(time) {
    const { numbers, plane, context } = this;
    if (!this.header.drifters.length) return;
    const mean = numbers.array("drifter_mean");
    const every = numbers.array("drifter_members");
    const [, times, count] = numbers.entries.drifter_mean.shape;
    const members = numbers.entries.drifter_members.shape[3];
    this.header.drifters.forEach((name, drifter) => {
      const path = new Path2D();
      let last = null;
      for (let now = 0; now <= time; now += 1) {
        const at = now * count + drifter;
        if (mean[at] === -32768) continue;
        const place = this.pixel(mean[at] * plane.unit, mean[times * count + at] * plane.unit);
        if (last === null) path.moveTo(...place);
        else path.lineTo(...place);
        last = place;
      }
      if (last === null) return;
      context.fillStyle = "rgba(106, 0, 168, 0.45)";
      for (let member = 0; member < members; member += 1) {
        const at = (time * count + drifter) * members + member;
        if (every[at] === -32768) continue;
        const y = every[times * count * members + at];
        const place = this.pixel(every[at] * plane.unit, y * plane.unit);
        context.beginPath();
        context.arc(...place, 1.7, 0, 2 * Math.PI);
        context.fill();
      }
      this.stroke(path, "#ffffff", 4);
      this.stroke(path, INK.drifter, 2);
      context.beginPath();
      context.arc(...last, 3.5, 0, 2 * Math.PI);
      context.fillStyle = INK.drifter;
      context.fill();
      if (!this.small) this.text(name, last[0], last[1] - 12, 12, INK.drifter, "bold");
    });
  }

  /** Observations: used ones as dots, withheld as rings, rejected as crosses. */
  observations(wanted) {
    const { numbers, plane, context } = this;
    const place = numbers.array("obs_place");
    const kind = numbers.array("obs_kind");
    const state = numbers.array("obs_state");
    const count = kind.length;
    // Many dots may not hide the field below them.
    const radius = Math.max(0.4, Math.min(1.8, (0.13 * this.side) / Math.sqrt(count)));
    // Rejected ones last, so that nothing hides them.
    for (const now of [0, 1, 2]) {
      const path = new Path2D();
      for (let i = 0; i < count; i += 1) {
        if (state[i] !== now || !wanted(kind[i], now)) continue;
        const [x, y] = this.pixel(place[i] * plane.unit, place[count + i] * plane.unit);
        if (now === 2) {
          path.moveTo(x - 4, y - 4);
          path.lineTo(x + 4, y + 4);
          path.moveTo(x - 4, y + 4);
          path.lineTo(x + 4, y - 4);
        } else {
          const size = kind[i] === 0 ? radius : 2;
          path.moveTo(x + size, y);
          path.arc(x, y, size, 0, 2 * Math.PI);
        }
      }
      if (now === 0) {
        context.fillStyle = radius < 1.2 ? "rgba(17, 17, 17, 0.6)" : "#111111";
        context.fill(path);
      } else if (now === 1) {
        context.fillStyle = "#ffffff";
        context.fill(path);
        this.stroke(path, "#111111", 0.7);
      } else {
        this.stroke(path, "#ffffff", 4);
        this.stroke(path, "#c00000", 2);
      }
    }
  }
}
