/* The controls: what is shown, when, and where. */

class Viewer {
  constructor(header, buffer) {
    this.header = header;
    this.numbers = new Numbers(buffer, header.entries);
    this.plane = new Plane(header.plane, this.numbers);
    this.meteogram = new Meteogram(header, this.numbers, this.plane);
    this.last = header.leads.length - 1;
    this.time = 0;
    this.cell = header.place;
    this.cursor = header.place;
    this.timer = null;
    this.calm = window.matchMedia("(prefers-reduced-motion: reduce)");
    this.layers = new Map(header.layers.map((layer) => [layer.key, layer]));
    this.fastest = this.speed();
    this.map = this.mapOn("map");
    this.nows = [...document.querySelectorAll("canvas[data-now]")].map((canvas) => this.on(canvas));
    this.changes = [...document.querySelectorAll("canvas[data-change]")].map((canvas) => this.on(canvas));
    this.frames = this.filmstrip();
    this.bind();
    this.calmed();
    this.showNow();
    this.showField();
    this.showPlace();
    document.documentElement.dataset.ready = "yes";
  }

  on(canvas, small = false) {
    return new IceMap(canvas, this.header, this.numbers, this.plane, small);
  }

  mapOn(id) {
    return this.on(document.getElementById(id));
  }

  get layer() {
    return this.layers.get(document.getElementById("layer").value);
  }

  wanted(name) {
    const box = document.getElementById(`show-${name}`);
    return box !== null && box.checked;
  }

  /** A round speed near the fastest drift among ice, for the length of the arrows [m/s]. */
  speed() {
    if (!this.numbers.has("u")) return null;
    const speeds = [];
    for (let cell = 0; cell < this.plane.count; cell += 1) {
      if (!(this.numbers.value("concentration", 0, cell) > this.header.iceEdge)) continue;
      const [u, v] = ["u", "v"].map((name) => this.numbers.value(name, 0, cell));
      if (u !== null && v !== null) speeds.push(Math.hypot(u, v));
    }
    speeds.sort((a, b) => a - b);
    const top = speeds[Math.floor(0.99 * speeds.length)] || 0.1;
    return [0.05, 0.1, 0.2, 0.3, 0.5, 1, 2].find((speed) => speed >= top) || 2;
  }

  bind() {
    const by = (id) => document.getElementById(id);
    by("layer").addEventListener("change", () => this.showField());
    by("lead").addEventListener("input", () => {
      this.stop();
      this.goTo(Number(by("lead").value));
    });
    by("play").addEventListener("click", () => this.play());
    for (const box of document.querySelectorAll("input[id^=show-]")) {
      box.addEventListener("change", () => this.showMap());
    }
    for (const box of document.querySelectorAll("input[id^=obs-]")) {
      box.addEventListener("change", () => this.showChanges());
    }
    this.calm.addEventListener("change", () => this.calmed());
    const canvas = this.map.canvas;
    canvas.addEventListener("keydown", (event) => this.key(event));
    canvas.addEventListener("blur", () => {
      this.cursor = this.cell;
      this.showMap();
    });
    for (const map of [this.map, ...this.changes]) {
      map.canvas.addEventListener("click", (event) => {
        const cell = this.plane.cellNear(...map.point(event));
        if (cell >= 0) this.choose(cell);
        else this.say("On land: choose a place at sea.");
      });
    }
    canvas.addEventListener("mousemove", (event) => {
      const cell = this.plane.cellNear(...this.map.point(event));
      if (cell >= 0) this.say(this.valueAt(cell));
    });
    canvas.addEventListener("mouseleave", () => this.say(this.valueAt(this.cell)));
    const form = by("place");
    if (form !== null) {
      form.addEventListener("submit", (event) => {
        event.preventDefault();
        const [north, east] = ["latitude", "longitude"].map((name) => Number(by(name).value));
        this.choose(this.plane.cellAtDegrees(north, east));
      });
    }
    let wait = null;
    window.addEventListener("resize", () => {
      clearTimeout(wait);
      wait = setTimeout(() => this.redraw(), 120);
    });
  }

  /** Arrows move the cross by a cell, with Shift by five; Enter or Space chooses its place. */
  key(event) {
    const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
    if (event.key in moves) {
      for (let i = 0; i < (event.shiftKey ? 5 : 1); i += 1) {
        this.cursor = this.plane.step(this.cursor, ...moves[event.key]);
      }
      this.say(this.valueAt(this.cursor));
      this.showMap();
    } else if (event.key === "Enter" || event.key === " ") {
      this.choose(this.cursor);
    } else {
      return;
    }
    event.preventDefault();
  }

  choose(cell) {
    this.cell = cell;
    this.cursor = cell;
    this.showMap();
    this.showPlace();
    this.showChanges();
    this.say(this.valueAt(cell));
  }

  say(text) {
    const readout = document.getElementById("readout");
    if (readout.textContent !== text) readout.textContent = text;
  }

  valueAt(cell) {
    const { layer } = this;
    const value = this.numbers.value(layer.entry, this.time, cell, layer.index);
    return `${this.plane.words(cell)}: ${layer.label.toLowerCase()} ${told(value, layer.unit, layer.digits)}`;
  }

  leadText(time) {
    return `+${this.header.leads[time]} h, ${this.header.valid[time]}`;
  }

  goTo(time) {
    this.time = time;
    this.showMap();
    this.showCharts();
  }

  calmed() {
    this.stop();
  }

  stop() {
    clearInterval(this.timer);
    this.timer = null;
    document.getElementById("play").textContent = this.calm.matches ? "Next lead" : "Play";
  }

  play() {
    if (this.timer !== null) {
      this.stop();
      return;
    }
    const step = () => this.goTo(this.time === this.last ? 0 : this.time + 1);
    step();
    if (this.calm.matches) return;
    this.timer = setInterval(step, 700);
    document.getElementById("play").textContent = "Pause";
  }

  redraw() {
    this.showNow();
    this.showField();
    this.showChanges();
  }

  /** What is drawn over the field of the forecast. */
  overlays(time) {
    const thin = (map) => (map.small ? 0.6 : 1);
    return [
      (map) => {
        if (this.wanted("start")) map.line("edge_0", INK.start, 1.8 * thin(map), [2, 2], true);
      },
      (map) => {
        const name = `truth_${time}`;
        if (this.wanted("truth")) map.line(name, INK.truth, 2 * thin(map), [7, 3], true);
      },
      (map) => {
        if (this.wanted("edge")) map.line(`edge_${time}`, INK.median, 2.4 * thin(map), [], true);
      },
      (map) => {
        // Ellipses stand at the tips of arrows and bring them along.
        const ellipses = this.wanted("ellipses");
        if (ellipses || this.wanted("drift")) map.drift(time, this.fastest, ellipses);
      },
      (map) => {
        if (this.wanted("drifters")) map.drifters(time);
      },
    ];
  }

  showMap() {
    const { time } = this;
    const text = this.leadText(time);
    const slider = document.getElementById("lead");
    slider.value = time;
    slider.setAttribute("aria-valuetext", text);
    document.getElementById("lead-text").textContent = text;
    const width = this.header.widths[time];
    const told = document.getElementById("edge-width");
    if (told !== null) told.textContent = width === null ? "" : `${Math.round(width)} km wide on average`;
    const marks = [(map) => map.cross(this.cell, true)];
    if (this.cursor !== this.cell) marks.push((map) => map.cross(this.cursor, false));
    this.map.draw(this.layer, time, {
      band: this.wanted("band") ? time : null,
      more: [...this.overlays(time), ...marks],
    });
    this.map.canvas.setAttribute(
      "aria-label",
      `Map of ${this.layer.label.toLowerCase()}, ${text}. Arrow keys move the cross, Enter chooses its place.`,
    );
    this.frames.forEach(({ button }, number) => {
      button.setAttribute("aria-pressed", String(number === time));
    });
  }

  /** The map, its legend, and all leads at a glance. */
  showField() {
    this.showMap();
    legend(document.getElementById("legend"), this.layer);
    for (const [time, { map }] of this.frames.entries()) {
      map.draw(this.layer, time, {
        more: [(small) => small.line(`edge_${time}`, INK.median, 1.4, [], true)],
      });
    }
    this.say(this.valueAt(this.cell));
  }

  filmstrip() {
    const strip = document.getElementById("strip");
    return this.header.leads.map((lead, time) => {
      const canvas = element("canvas", { "data-width": "130", "aria-hidden": "true" });
      const button = element("button", { type: "button", "aria-pressed": "false" }, [
        canvas,
        element("span", {}, [`+${lead} h`]),
      ]);
      button.setAttribute("aria-label", `Show ${this.leadText(time)}`);
      button.addEventListener("click", () => {
        this.stop();
        this.goTo(time);
      });
      strip.append(button);
      return { button, map: this.on(canvas, true) };
    });
  }

  showNow() {
    for (const map of this.nows) {
      const layer = this.layers.get(map.canvas.dataset.now);
      const drift = layer.key === "thickness" && this.fastest !== null;
      map.draw(layer, 0, {
        band: layer.key === "concentration" ? 0 : null,
        more: [
          (one) => one.line("edge_0", INK.median, 2.4, [], true),
          (one) => drift && one.drift(0, this.fastest, this.numbers.has("ellipse_major")),
        ],
      });
      legend(map.canvas.parentElement.querySelector(".legend"), layer);
    }
  }

  showPlace() {
    const words = document.getElementById("place-words");
    words.textContent = this.plane.words(this.cell);
    const found = this.plane.geographic(this.cell);
    ["latitude", "longitude"].forEach((name, i) => {
      const box = document.getElementById(name);
      if (box !== null && found !== null) box.value = found[i].toFixed(2);
    });
    this.showCharts();
    document.getElementById("place-table").replaceChildren(this.meteogram.table(this.cell));
    this.showChanges();
  }

  showCharts() {
    document.getElementById("charts").replaceChildren(...this.meteogram.charts(this.cell, this.time));
  }

  /** Changes by the analysis, with the observations of their kind, and why at the place. */
  showChanges() {
    const kinds = { concentration: (kind) => kind === 0, thickness: (kind) => kind !== 0 };
    this.changes.forEach((map, number) => {
      const layer = this.header.increments[number];
      const fates = ["used", "withheld", "rejected"].map((name) => {
        const box = document.getElementById(`obs-${name}`);
        return box !== null && box.checked;
      });
      const more = [
        (one) => one.line("background_edge", INK.start, 1.6, [2, 2], true),
        (one) => one.line("analysed_edge", INK.median, 2.2, [], true),
      ];
      if (this.header.observations !== null) {
        more.push((one) => one.observations((kind, fate) => fates[fate] && kinds[layer.key](kind)));
      }
      map.draw(layer, 0, { more: [...more, (one) => one.cross(this.cell, true)] });
      legend(map.canvas.parentElement.querySelector(".legend"), layer);
    });
    const why = document.getElementById("why");
    if (why !== null) why.replaceChildren(...this.why().map((text) => element("p", {}, [text])));
  }

  /** In words, what was changed at the place and which observations are near. */
  why() {
    const { numbers, header, plane, cell } = this;
    const changes = header.increments.map((layer) => {
      const value = numbers.value(layer.entry, 0, cell);
      return `${layer.key} by ${signed(value, layer.unit, layer.digits)}`;
    });
    const lines = [`At ${plane.words(cell)} the analysis changed ${changes.join(" and ")}.`];
    if (header.observations === null) return lines;
    const { kinds, reach, reasons } = header.observations;
    const [x, y] = plane.centre(cell);
    const place = numbers.array("obs_place");
    const [kind, state, reason] = ["kind", "state", "reason"].map((name) => numbers.array(`obs_${name}`));
    const near = kinds.map(() => ({ fates: [0, 0, 0], sum: 0, known: 0, why: new Set() }));
    for (let i = 0; i < kind.length; i += 1) {
      const apart = Math.hypot(place[i] * plane.unit - x, place[kind.length + i] * plane.unit - y);
      if (apart > 1000 * reach[kind[i]]) continue;
      const found = near[kind[i]];
      found.fates[state[i]] += 1;
      if (state[i] === 2) found.why.add(reasons[reason[i]]);
      const departure = numbers.has("obs_departure") ? numbers.value("obs_departure", 0, i) : null;
      if (state[i] === 0 && departure !== null) {
        found.sum += departure;
        found.known += 1;
      }
    }
    near.forEach(({ fates: [used, withheld, rejected], sum, known, why }, number) => {
      if (used + withheld + rejected === 0) return;
      const unit = number === 0 ? "" : kinds[number].startsWith("drift") ? "m/s" : "m";
      let text = `Within ${reach[number]} km: ${used} ${kinds[number]} observations used`;
      if (known) text += `, on average ${signed(sum / known, unit, 2)} from the background`;
      if (withheld) text += `; ${withheld} withheld`;
      if (rejected) text += `; ${rejected} rejected (${[...why].join(", ")})`;
      lines.push(`${text}.`);
    });
    if (lines.length === 1) lines.push("No observation is near: the change comes through the ensemble, or there is none.");
    return lines;
  }
}

/** A change in words, with its sign. */
function signed(value, unit, digits) {
  const text = told(value, unit, digits);
  return /[1-9]/.test(text) && value > 0 ? `+${text}` : text;
}

/** The colours of a layer with their values below. */
function legend(place, layer) {
  const steps = layer.colours.map((colour) => {
    const box = element("span");
    box.style.background = colour;
    return box;
  });
  const ticks = [0, 0.25, 0.5, 0.75, 1].map((share) => {
    const value = layer.lower + share * (layer.upper - layer.lower);
    const digits = layer.upper - layer.lower < 1 ? 2 : 1;
    let text = layer.unit === "" ? told(value, "", 0) : value.toFixed(digits).replace("-", "−");
    if (share === 1 && layer.extend !== "neither") text = `≥ ${text}`;
    if (share === 0 && layer.extend === "both") text = `≤ ${text}`;
    return element("span", {}, [text]);
  });
  place.replaceChildren(
    element("div", { class: "bar", "aria-hidden": "true" }, steps),
    element("div", { class: "ticks" }, ticks),
    element("div", { class: "what" }, [layer.legend]),
  );
}

function begin() {
  const read = (id) => document.getElementById(id).textContent;
  const header = JSON.parse(read("header"));
  const buffer = unpack(read("numbers"), header.bytes);
  for (const part of document.querySelectorAll(".scripted")) part.hidden = false;
  new Viewer(header, buffer);
}

begin();
