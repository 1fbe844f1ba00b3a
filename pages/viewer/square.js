// The square that is read: framed, moved and resized on the image, and the parts it is read in.
import * as L from "./leaflet.js";
import { element } from "./dom.js";

const CORNERS = [[0, 0], [1, 0], [0, 1], [1, 1]]; // right?, bottom?
const STILL = 600; // ms after the last key press, the server is told
const CASING = { color: "var(--her2-paper)", weight: 5, interactive: false, fill: false };
const LINE = { color: "var(--her2-frame)", weight: 2.5, interactive: false, fill: false };
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

// Leaflet's bounds of a rectangle in pixels of the image.
export function bounds({ x, y, width, height }) {
  return L.latLngBounds([-y - height, x], [-y, x + width]);
}

// Lines of text, as a tooltip shows them.
export function words(lines) {
  const all = element("div");
  all.append(...lines.map((line) => element("div", "", line)));
  return all;
}

function of(square) {
  return bounds({ x: square.x, y: square.y, width: square.size, height: square.size });
}

export class SquareTool {
  constructor(map, { changing, changed, unchanged }) {
    this.map = map;
    Object.assign(this, { changing, changed, unchanged });
    this.frame = L.layerGroup().addTo(map);
    this.parts = L.layerGroup().addTo(map);
    this.handles = null;
  }

  show(data, square, movable, parts) {
    this.data = data;
    this.square = square;
    this.drawFrame();
    this.drawParts(parts);
    if (!movable) {
      this.handles?.forEach((handle) => handle.remove());
      this.handles = null;
      return;
    }
    this.handles ??= [this.mover(), ...CORNERS.map((corner) => this.corner(corner))];
    this.place();
  }

  drawFrame() {
    const { square, data } = this;
    const whole = square.size === data.width && square.size === data.height;
    const said = whole && !this.handles ? "" : JSON.stringify(square);
    if (said === this.framed) { return; }
    this.framed = said;
    this.frame.clearLayers();
    if (!said) { return; }
    const image = bounds({ x: 0, y: 0, width: data.width, height: data.height });
    const corners = (area) => [area.getNorthWest(), area.getNorthEast(), area.getSouthEast(),
      area.getSouthWest()];
    const veil = { stroke: false, fillColor: "var(--her2-veil)", fillOpacity: 0.55, interactive: false };
    this.frame.addLayer(L.polygon([corners(image), corners(of(square))], veil));
    this.frame.addLayer(L.rectangle(of(square), CASING));
    this.frame.addLayer(L.rectangle(of(square), LINE));
  }

  drawParts(parts) {
    const said = JSON.stringify(parts);
    if (said === this.divided) { return; }
    this.divided = said;
    this.parts.clearLayers();
    for (const part of parts) {
      const area = of(part.square);
      this.parts.addLayer(L.rectangle(area, { ...CASING, weight: 3, opacity: 0.7 }));
      this.parts.addLayer(L.rectangle(area, { ...LINE, weight: 1.5, dashArray: "6 5" }));
      this.parts.addLayer(this.label(part, area.getSouthWest()));
    }
  }

  // What a part was given, in its corner; all of its probabilities come up over the label.
  label({ title, lines, decides }, corner) {
    const html = element("span", decides ? "her2-decides" : "", title);
    const icon = L.divIcon({ className: "her2-part", html, iconSize: null });
    const label = L.marker(corner, { icon }).bindTooltip(words(lines), { direction: "auto" });
    label.on("add", () => {
      const drawn = label.getElement();
      drawn.setAttribute("role", "img");
      drawn.setAttribute("aria-label", lines.join(". "));
    });
    return label;
  }

  mover() {
    const handle = this.handle("her2-mover", "Square that is read: arrows move it, "
      + "plus and minus resize it");
    handle.getElement().append("read here");
    handle.on("drag", () => {
      const { x, y } = pixel(handle.getLatLng());
      this.change({ ...this.square, x, y });
    });
    handle.getElement().addEventListener("keydown", (event) => {
      const step = event.shiftKey ? 1 : Math.max(1, Math.round(this.square.size / 28));
      const way = ARROWS[event.key];
      const { x, y, size } = this.square;
      if (way) {
        this.byKey(event, { x: x + step * way[0], y: y + step * way[1], size });
      } else if (["+", "=", "-"].includes(event.key)) {
        const more = event.key === "-" ? -step : step;
        const half = Math.round(more / 2); // the middle stays
        this.byKey(event, { x: x - half, y: y - half, size: size + more });
      }
    });
    return handle;
  }

  corner([right, bottom]) {
    const names = `${bottom ? "lower" : "upper"} ${right ? "right" : "left"}`;
    const handle = this.handle(`her2-corner her2-${right === bottom ? "nwse" : "nesw"}`,
      `Size of the square, ${names} corner: arrows`);
    const resize = (x, y) => {
      const { square, data } = this;
      const across = right ? x - square.x : square.x + square.size - x;
      const down = bottom ? y - square.y : square.y + square.size - y;
      const room = Math.min(right ? data.width - square.x : square.x + square.size,
        bottom ? data.height - square.y : square.y + square.size);
      const size = Math.round(Math.min(room, Math.max(data.least, across, down)));
      return {
        x: right ? square.x : square.x + square.size - size,
        y: bottom ? square.y : square.y + square.size - size,
        size,
      };
    };
    handle.on("drag", () => {
      const { x, y } = pixel(handle.getLatLng());
      this.change(resize(x, y));
    });
    handle.getElement().addEventListener("keydown", (event) => {
      const way = ARROWS[event.key];
      if (!way) { return; }
      const { x, y, size } = this.square;
      const out = (way[0] ? way[0] * (right ? 1 : -1) : way[1] * (bottom ? 1 : -1));
      const step = out * (event.shiftKey ? 1 : Math.max(1, Math.round(size / 28)));
      const far = (edge, on) => (on ? edge + size + step : edge - step);
      const shrunk = { ...resize(far(x, right), far(y, bottom)) };
      this.byKey(event, shrunk);
    });
    return handle;
  }

  handle(kind, name) {
    const icon = L.divIcon({ className: `her2-handle ${kind}`, iconSize: null, html: "" });
    const handle = L.marker([0, 0], { icon, draggable: true, autoPan: false, zIndexOffset: 1000 });
    handle.addTo(this.map);
    const drawn = handle.getElement();
    drawn.setAttribute("aria-label", name);
    drawn.title = name;
    handle.on("dragstart", () => {
      this.before = JSON.stringify(this.square);
      this.held = handle;
    });
    handle.on("dragend", () => {
      this.held = null;
      this.place();
      const moved = JSON.stringify(this.square) !== this.before;
      if (moved) { this.changed(this.square); } else { this.unchanged(); }
    });
    return handle;
  }

  byKey(event, square) {
    event.preventDefault();
    event.stopPropagation();
    this.change(square);
    this.place();
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.changed(this.square), STILL);
  }

  change({ x, y, size }) {
    const { width, height, least } = this.data;
    const side = Math.round(Math.min(Math.max(size, least), width, height));
    const within = (value, room) => Math.round(Math.min(Math.max(value, 0), room - side));
    this.changing({ x: within(x, width), y: within(y, height), size: side });
  }

  // Each handle at its place; the one under the hand stays there.
  place() {
    const { x, y, size } = this.square;
    const spots = [[0, 0], ...CORNERS];
    this.handles?.forEach((handle, at) => {
      if (handle === this.held) { return; }
      const [right, bottom] = spots[at];
      handle.setLatLng([-y - bottom * size, x + right * size]);
    });
  }
}

function pixel({ lat, lng }) {
  return { x: lng, y: -lat };
}
