/* What is forecast at one place: charts against lead, and the same numbers as a table. */

const SVG = "http://www.w3.org/2000/svg";

/** An element with attributes and children; text where a child is a string. */
function element(tag, attributes = {}, children = [], space = null) {
  const made = space ? document.createElementNS(space, tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

const svg = (tag, attributes, children = []) => element(tag, attributes, children, SVG);

/** A value in words: shares in percent. */
function told(value, unit, digits) {
  if (value === null || !Number.isFinite(value)) return "–";
  const number = unit === "" ? (100 * value).toFixed(0) : value.toFixed(digits);
  // What rounds to 0 has no sign.
  const text = Number(number) === 0 ? number.replace("-", "") : number.replace("-", "−");
  return `${text} ${unit === "" ? "%" : unit}`;
}

/** Round ticks that hold 0 and the greatest value. */
function ticksTo(greatest) {
  const least = Math.max(greatest, 1e-6) / 4;
  const power = 10 ** Math.floor(Math.log10(least));
  const step = [1, 2, 2.5, 5, 10].map((share) => share * power).find((size) => size >= least * 0.999);
  return [0, 1, 2, 3, 4].map((number) => number * step);
}

class Meteogram {
  constructor(header, numbers, plane) {
    Object.assign(this, { header, numbers, plane });
  }

  series(name, cell, index = null) {
    if (!this.numbers.has(name)) return null;
    return this.header.leads.map((_, time) => this.numbers.value(name, time, cell, index));
  }

  /** Everything that is told of a variable at a cell. */
  variable(name, cell) {
    const { numbers, header } = this;
    const quantiles = numbers.has(`${name}_quantile`)
      ? header.quantiles.map((level, index) => ({
          level,
          values: this.series(`${name}_quantile`, cell, index),
        }))
      : [];
    const members = [];
    if (numbers.has(`members_${name}`)) {
      for (let one = 0; one < numbers.entries[`members_${name}`].shape[1]; one += 1) {
        members.push(this.series(`members_${name}`, cell, one));
      }
    }
    return {
      mean: this.series(name, cell),
      spread: this.series(`${name}_spread`, cell),
      truth: this.series(name === "concentration" ? "truth" : `truth_${name}`, cell),
      quantiles,
      members,
    };
  }

  /** Charts of a cell, with a line at the lead that the map shows. */
  charts(cell, time) {
    const made = [];
    const share = { unit: "", digits: 0, ticks: [0, 0.25, 0.5, 0.75, 1] };
    made.push(this.fan("Concentration", this.variable("concentration", cell), time, share));
    if (this.numbers.has("thickness")) {
      const found = this.variable("thickness", cell);
      const upper = found.quantiles.length
        ? found.quantiles[found.quantiles.length - 1].values
        : found.mean.map((value, i) => value + (found.spread ? found.spread[i] : 0));
      const all = [...upper, ...found.mean, ...(found.truth || [])].filter(Number.isFinite);
      const ticks = ticksTo(Math.max(0.1, ...all));
      made.push(this.fan("Thickness [m]", found, time, { unit: "m", digits: 2, ticks }));
    }
    const chances = [
      ["probability_of_ice", "ice > 15 %", "#0b4f8a", ""],
      ["probability_of_pack_ice", "ice > 80 %", "#c45a00", "6 4"],
    ].filter(([name]) => this.numbers.has(name));
    if (chances.length) {
      const lines = chances.map(([name, label, colour, dash]) => ({
        label,
        colour,
        dash,
        values: this.series(name, cell),
      }));
      made.push(this.frame("Probability", time, share, lines, lines.map((l) => [l.label, l.colour, l.dash])));
    }
    return made;
  }

  /** A fan of quantiles, or mean and spread, over the members. */
  fan(title, found, time, axis) {
    const shapes = [];
    const key = [];
    const { quantiles, members, mean, spread, truth } = found;
    for (const values of members) shapes.push({ values, colour: "#7d8a93", width: 0.7, faint: true });
    if (members.length) key.push([`${members.length} members`, "#7d8a93", ""]);
    const count = quantiles.length;
    for (let i = 0; i < Math.floor(count / 2); i += 1) {
      const [low, high] = [quantiles[i], quantiles[count - 1 - i]];
      shapes.unshift({ band: [low.values, high.values], opacity: 0.22 });
      const text = [low, high].map((one) => `${Math.round(100 * one.level)}`).join("–");
      key.push([`${text} %`, "band", `${0.22 * (i + 1) + 0.06}`]);
    }
    if (count) {
      const middle = quantiles[Math.floor(count / 2)];
      shapes.push({ values: middle.values, colour: "#0b4f8a", width: 2.4 });
      key.push([`${Math.round(100 * middle.level)} % (median)`, "#0b4f8a", ""]);
    } else if (spread) {
      const ends = [-1, 1].map((sign) => mean.map((value, i) => value + sign * spread[i]));
      shapes.unshift({ band: ends, opacity: 0.3 });
      key.push(["mean ± spread", "band", "0.3"]);
    }
    shapes.push({ values: mean, colour: "#c45a00", width: 1.6, dash: "6 4" });
    key.push(["mean", "#c45a00", "6 4"]);
    if (truth && truth.some(Number.isFinite)) {
      shapes.push({ values: truth, colour: "#d6267f", dots: true });
      key.push([this.header.truth, "#d6267f", "dot"]);
    }
    return this.frame(title, time, axis, shapes, key);
  }

  /** Axes with shapes in them and a key below. */
  frame(title, time, { unit, digits, ticks }, shapes, key) {
    const [width, height, left, right, top, bottom] = [420, 190, 46, 10, 8, 32];
    const { leads } = this.header;
    const last = leads[leads.length - 1] || 1;
    const greatest = ticks[ticks.length - 1];
    const x = (lead) => left + (lead / last) * (width - left - right);
    const y = (value) => {
      const inside = Math.max(0, Math.min(greatest, value));
      return height - bottom - (inside / greatest) * (height - top - bottom);
    };
    const line = (values) => {
      let text = "";
      let pen = "M";
      values.forEach((value, i) => {
        if (!Number.isFinite(value)) pen = "M";
        else {
          text += `${pen}${x(leads[i]).toFixed(1)} ${y(value).toFixed(1)}`;
          pen = "L";
        }
      });
      return text;
    };
    const parts = [];
    for (const tick of ticks) {
      parts.push(svg("path", { class: "grid", d: `M${left} ${y(tick)}H${width - right}` }));
      const text = unit === "" ? `${Math.round(100 * tick)} %` : tick.toFixed(digits);
      parts.push(svg("text", { class: "ytick", x: left - 6, y: y(tick) }, [text]));
    }
    const every = last > 240 ? 48 : 24;
    for (let lead = 0; lead <= last; lead += every) {
      parts.push(svg("text", { class: "xtick", x: x(lead), y: height - 16 }, [`${lead / 24}`]));
    }
    const middle = (left + width - right) / 2;
    parts.push(svg("text", { class: "xtick", x: middle, y: height - 2 }, ["lead [days]"]));
    for (const shape of shapes) {
      if (shape.band) {
        const [low, high] = shape.band;
        const back = leads.map((lead, i) => [lead, low[i]]).reverse();
        const d = `${line(high)}${back
          .filter(([, value]) => Number.isFinite(value))
          .map(([lead, value]) => `L${x(lead).toFixed(1)} ${y(value).toFixed(1)}`)
          .join("")}Z`;
        if (d.startsWith("M")) parts.push(svg("path", { d, fill: "#0b4f8a", "fill-opacity": shape.opacity }));
      } else if (shape.dots) {
        shape.values.forEach((value, i) => {
          if (!Number.isFinite(value)) return;
          parts.push(svg("circle", { cx: x(leads[i]), cy: y(value), r: 3.2, fill: shape.colour }));
        });
      } else {
        const look = { d: line(shape.values), fill: "none", stroke: shape.colour };
        look["stroke-width"] = shape.width || 2;
        if (shape.dash) look["stroke-dasharray"] = shape.dash;
        if (shape.faint) look["stroke-opacity"] = 0.55;
        parts.push(svg("path", look));
      }
    }
    parts.push(svg("path", { class: "axis", d: `M${left} ${top}V${height - bottom}H${width - right}` }));
    parts.push(svg("path", { class: "now", d: `M${x(leads[time])} ${top}V${height - bottom}` }));
    const picture = svg(
      "svg",
      {
        class: "chart",
        viewBox: `0 0 ${width} ${height}`,
        role: "img",
        "aria-label": `${title} against lead at the place; the numbers stand in the table below`,
      },
      parts,
    );
    return element("figure", {}, [
      element("h4", {}, [title]),
      picture,
      element("ul", { class: "key" }, key.map((one) => this.keyEntry(...one))),
    ]);
  }

  keyEntry(label, colour, dash) {
    const mark = svg("svg", { viewBox: "0 0 26 10", width: 26, height: 10, "aria-hidden": "true" }, [
      colour === "band"
        ? svg("rect", { width: 26, height: 10, fill: "#0b4f8a", "fill-opacity": dash })
        : dash === "dot"
          ? svg("circle", { cx: 13, cy: 5, r: 3.2, fill: colour })
          : svg("path", {
              d: "M0 5H26",
              stroke: colour,
              "stroke-width": 2,
              ...(dash ? { "stroke-dasharray": dash } : {}),
            }),
    ]);
    return element("li", {}, [mark, label]);
  }

  /** The columns of the table: head, and the text at a time. */
  columns(cell) {
    const { numbers, header } = this;
    const at = (name, unit, digits, index = null) => (time) =>
      told(numbers.value(name, time, cell, index), unit, digits);
    const range = (name, unit, digits) => (time) => {
      const last = header.quantiles.length - 1;
      return `${at(name, unit, digits, 0)(time)} to ${at(name, unit, digits, last)(time)}`;
    };
    const ends = header.quantiles.length
      ? `${Math.round(100 * header.quantiles[0])}–` +
        `${Math.round(100 * header.quantiles[header.quantiles.length - 1])} %`
      : "";
    const columns = [];
    for (const [name, label, unit, digits] of [
      ["concentration", "concentration", "", 0],
      ["thickness", "thickness", "m", 2],
    ]) {
      if (numbers.has(name)) columns.push([label, at(name, unit, digits)]);
      if (numbers.has(`${name}_quantile`)) {
        columns.push([`${label}, ${ends}`, range(`${name}_quantile`, unit, digits)]);
      }
    }
    if (numbers.has("probability_of_ice")) columns.push(["ice > 15 %", at("probability_of_ice", "", 0)]);
    if (numbers.has("probability_of_pack_ice")) {
      columns.push(["ice > 80 %", at("probability_of_pack_ice", "", 0)]);
    }
    if (numbers.has("u") && numbers.has("v")) columns.push(["drift", (time) => this.drift(cell, time)]);
    if (numbers.has("truth")) columns.push([`${header.truth} concentration`, at("truth", "", 0)]);
    return columns;
  }

  /** Drift in km per day and where to; a dash where there is no ice to drift. */
  drift(cell, time) {
    const { numbers, header } = this;
    const [u, v] = ["u", "v"].map((name) => numbers.value(name, time, cell));
    if (u === null || !(numbers.value("concentration", time, cell) > header.iceEdge)) return "–";
    const heading = this.plane.heading(cell, u, v);
    const speed = `${(Math.hypot(u, v) * 86.4).toFixed(0)} km/d`;
    return heading === null ? speed : `${speed} to ${Math.round(heading) % 360}°`;
  }

  table(cell) {
    const { leads, valid } = this.header;
    const columns = this.columns(cell);
    const head = ["lead", "valid", ...columns.map(([label]) => label)];
    const rows = leads.map((lead, time) =>
      element("tr", { "data-lead": lead }, [
        element("th", { scope: "row" }, [`+${lead} h`]),
        element("td", {}, [valid[time].replace(" UTC", "")]),
        ...columns.map(([, text]) => element("td", {}, [text(time)])),
      ]),
    );
    return element("table", {}, [
      element("caption", {}, [`Forecast for ${this.plane.words(cell)}`]),
      element("thead", {}, [element("tr", {}, head.map((text) => element("th", { scope: "col" }, [text])))]),
      element("tbody", {}, rows),
    ]);
  }
}
