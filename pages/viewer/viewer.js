// The viewer in the browser: one or two views of the same image, which move together.
// Pixels of the image are Leaflet's coordinates, with y pointing down: [-y, x].
import * as L from "./leaflet.js";
import { ask, element, stylesheet } from "./dom.js";
import { Layers } from "./layers.js";
import { SquareTool, bounds } from "./square.js";

const styled = stylesheet("viewer.css");
const PAN = 90; // pixels a key press
const viewers = new WeakMap(); // element of the page -> its viewer
const places = new Map(); // patch -> where the reviewer looked last, while this page lasts
const looks = { beside: false }; // the same for every patch

const ICONS = {
  in: "M8 3v10M3 8h10",
  out: "M3 8h10",
  fit: "M2 6V2h4M10 2h4v4M14 10v4h-4M6 14H2v-4",
  beside: "M2 3h5v10H2zM9 3h5v10H9z",
  bare: "M1 8c3-6 11-6 14 0-3 6-11 6-14 0zM8 6a2 2 0 1 0 0 4 2 2 0 0 0 0-4z",
  square: "M4 1v11h11M1 4h11v11",
  full: "M9 2h5v5M14 2L9 7M7 14H2V9M2 14l5-5",
};

export const draw = (component) => drawWith(Viewer, component);

export async function drawWith(Kind, { data, parentElement, setTriggerValue }) {
  await styled;
  if (!viewers.has(parentElement)) { viewers.set(parentElement, new Kind(parentElement)); }
  const viewer = viewers.get(parentElement);
  viewer.show(data, setTriggerValue);
  return () => {
    viewers.delete(parentElement);
    viewer.remove();
  };
}

export class Viewer {
  shows = "patch";
  closest = 5; // zoom: a pixel of the image is 2 ** 5 on the screen

  constructor(parent) {
    this.root = element("div", "her2-viewer");
    this.views = element("div", "her2-views");
    this.bar = element("div", "her2-bar");
    this.bar.setAttribute("role", "toolbar");
    this.bar.setAttribute("aria-label", "Image");
    this.buttons = {
      in: this.button("in", "Zoom in (+)", () => this.zoom(1)),
      out: this.button("out", "Zoom out (-)", () => this.zoom(-1)),
      fit: this.button("fit", "Whole image (0)", () => this.fit()),
      beside: this.button("beside", "Both networks side by side", () => this.toggle("beside")),
      bare: this.button("bare", "Bare image (o)", () => this.toggle("bare")),
      square: this.button("square", "Move the square that is read", () => this.toggle("square")),
      full: this.button("full", "Full screen", () => this.fullScreen()),
    };
    this.frame = element("div", "her2-frame");
    this.frame.append(this.views, this.bar);
    this.layers = new Layers(() => this.refresh(), () => this.tell?.("renew", Date.now()));
    this.root.append(this.frame, this.layers.panel);
    parent.append(this.root);
    this.panes = [];
    this.on = { bare: false, square: null };
    this.listeners = new AbortController();
    const heard = { signal: this.listeners.signal };
    this.root.addEventListener("keydown", (event) => this.key(event));
    // Keys answer the patch: who goes by mouse leaves the keyboard to the page.
    this.root.addEventListener("pointerup", () => setTimeout(() => {
      const focused = document.activeElement;
      if (this.root.contains(focused) && !focused.matches(":focus-visible")) { focused.blur(); }
    }, 0));
    document.addEventListener("keydown", (event) => {
      const typing = event.target.closest?.("input:not([type=range]), textarea, [role=combobox]");
      if (event.key === "o" && !typing && !held(event)) { this.toggle("bare"); }
    }, heard);
    this.resized = new ResizeObserver(() => this.resize());
    this.resized.observe(this.views);
  }

  remove() {
    this.resized.disconnect();
    this.listeners.abort();
    this.panes.forEach((pane) => pane.map.remove());
    this.panes = []; // pictures still on their way go nowhere
    this.layers.forget();
    this.root.remove();
  }

  show(data, tell) {
    const another = this.data?.patch !== data.patch;
    this.data = data;
    this.tell = tell;
    if (another) {
      this.on = { bare: false, square: null };
      this.um = null;
      this.layers.forget();
    }
    this.follow(data);
    this.layers.show(data.layers);
    this.arrange(another);
  }

  // The square that is read, and the scale that was found in it.
  follow(data) {
    const { x, y, size } = data.square;
    const key = `${data.patch} ${x} ${y} ${size}`;
    if (this.measured !== key) {
      this.measured = key;
      this.findScale(data.scale, key);
    }
    this.square = { x, y, size };
    const whole = size === data.width && size === data.height;
    this.tool = data.movable && data.least < Math.max(data.width, data.height)
      && (this.on.square ?? !whole);
  }

  // One view, or two; views that are there already stay as they are.
  arrange(another) {
    const two = looks.beside && this.data.beside.length === 2;
    this.layers.sideBySide(two);
    this.frame.toggleAttribute("data-two", two);
    const ratio = Math.min(1.6, Math.max(0.9, this.data.width / this.data.height));
    this.root.style.setProperty("--her2-ratio", two ? 2 * ratio : ratio);
    if (another || this.panes.length !== (two ? 2 : 1)) {
      this.panes.forEach((pane) => { pane.map.remove(); pane.box.remove(); });
      this.panes = (two ? [0, 1] : [null]).map((side) => this.pane(side));
      this.resize();
    }
    this.refresh();
  }

  pane(side) {
    const box = element("div", "her2-pane");
    box.tabIndex = 0;
    box.setAttribute("role", "application");
    const title = side === null ? "" : `, ${this.data.beside[side]}`;
    box.setAttribute("aria-label", `Image of the ${this.shows}${title}. Plus and minus zoom, `
      + "0 shows the whole image, arrows move it while zoomed in.");
    this.views.append(box);
    const map = L.map(box, {
      crs: L.CRS.Simple, attributionControl: false, zoomControl: false, keyboard: false,
      zoomSnap: 0, zoomDelta: 0.5, wheelPxPerZoomLevel: 90, wheelDebounceTime: 20,
      zoomAnimation: false, fadeAnimation: false, markerZoomAnimation: false,
      bounceAtZoomLimits: false, maxBounds: this.imageBounds(), maxBoundsViscosity: 1,
      minZoom: -12, maxZoom: 12,
    });
    const scale = element("div", "her2-scale");
    const label = element("div", "her2-title");
    box.append(scale, label);
    const pane = { box, map, side, scale, label, drawn: new Map(), base: null };
    pane.tool = this.squareTool(map);
    map.setView([0, 0], 0, { animate: false });
    map.on("move zoom", () => this.moved(pane));
    return pane;
  }

  squareTool(map) {
    return new SquareTool(map, {
      changing: (square) => this.drag(square),
      changed: (square) => this.tell("square", square),
      unchanged: () => this.refresh(),
    });
  }

  imageBounds() {
    return bounds({ x: 0, y: 0, width: this.data.width, height: this.data.height });
  }

  // The zoom at which the whole image is seen.
  whole(pane) {
    const { x, y } = pane.map.getSize();
    return Math.log2(Math.max(1e-3, Math.min(x / this.data.width, y / this.data.height)));
  }

  // The same place is seen as before, be the view larger or smaller.
  resize() {
    if (!this.panes.length) { return; }
    const place = places.get(this.data.patch);
    this.following = true;
    for (const pane of this.panes) {
      pane.map.invalidateSize({ pan: false });
      const zoom = this.whole(pane);
      pane.map.setMinZoom(zoom).setMaxZoom(Math.max(zoom + 1, this.closest));
      const centre = place?.centre ?? this.imageBounds().getCenter();
      pane.map.setView(centre, zoom + (place?.over ?? 0), { animate: false });
    }
    this.following = false;
    this.moved(this.panes[0]);
  }

  image(pane) {
    if (pane.base) { return; }
    this.layers.picture(this.data.image).then((url) => {
      if (pane.base || !this.panes.includes(pane)) { return; }
      const options = { alt: "The patch", zIndex: 0 };
      pane.base = L.imageOverlay(url, this.imageBounds(), options).addTo(pane.map);
      this.refresh();
    }, () => { pane.label.textContent = "The image could not be fetched; reload the page."; });
  }

  moved(pane) {
    if (this.following) { return; }
    this.following = true;
    const centre = pane.map.getCenter();
    const over = pane.map.getZoom() - this.whole(pane);
    places.set(this.data.patch, { centre, over: Math.max(0, over) });
    for (const other of this.panes) {
      if (other !== pane) { other.map.setView(centre, pane.map.getZoom(), { animate: false }); }
      this.drawScale(other);
    }
    this.root.toggleAttribute("data-zoomed", over > 0.01);
    this.following = false;
  }

  zoom(step) { this.panes[0].map.setZoom(this.panes[0].map.getZoom() + step / 2); }

  fit() {
    const [pane] = this.panes;
    pane.map.setView(this.imageBounds().getCenter(), this.whole(pane), { animate: false });
  }

  toggle(name) {
    if (this.buttons[name].hidden) { return; }
    if (name === "beside") {
      looks.beside = !looks.beside;
    } else if (name === "square") {
      this.on.square = this.tool = !this.tool;
    } else {
      this.on.bare = !this.on.bare;
    }
    this.arrange(false);
  }

  fullScreen() {
    if (document.fullscreenElement) { document.exitFullscreen(); } else {
      this.root.requestFullscreen();
    }
  }

  // What is seen follows the data and what was clicked; pictures that are there are not asked again.
  refresh() {
    const { data, buttons } = this;
    buttons.beside.hidden = data.beside.length !== 2;
    buttons.bare.hidden = !data.layers.length;
    buttons.square.hidden = !data.movable || data.least >= Math.max(data.width, data.height);
    pressed(buttons.beside, looks.beside);
    pressed(buttons.bare, this.on.bare);
    pressed(buttons.square, this.tool);
    this.layers.panel.hidden = !data.layers.length;
    for (const pane of this.panes) {
      this.image(pane);
      pane.label.textContent = pane.side === null ? "" : data.beside[pane.side];
      const wanted = this.on.bare ? [] : this.layers.visible(pane.side);
      this.overlay(pane, wanted);
      const grey = Math.max(0, ...wanted.filter((one) => one.grey).map((one) => one.opacity));
      const image = pane.base?.getElement();
      if (image) { image.style.filter = grey ? `grayscale(${Math.min(1, grey / 50)})` : ""; }
      pane.tool.show(data, this.square, this.tool, this.on.bare ? [] : data.parts);
      this.drawScale(pane);
    }
  }

  overlay(pane, wanted) {
    const paths = new Set(wanted.map((layer) => layer.path));
    for (const [path, drawn] of pane.drawn) {
      if (!paths.has(path)) { drawn.remove(); pane.drawn.delete(path); }
    }
    wanted.forEach((layer, at) => {
      const drawn = pane.drawn.get(layer.path);
      if (drawn) { drawn.setOpacity(layer.opacity / 100); return; }
      this.layers.picture(layer.address).then((url) => {
        const still = this.layers.visible(pane.side).some((one) => one.path === layer.path);
        if (this.on.bare || !still || pane.drawn.has(layer.path) || !this.panes.includes(pane)) {
          return;
        }
        const { x, y, size } = layer.square;
        const place = bounds({ x, y, width: size, height: size });
        const options = { alt: layer.title, opacity: layer.opacity / 100, zIndex: at + 1 };
        pane.drawn.set(layer.path, L.imageOverlay(url, place, options).addTo(pane.map));
        this.refresh();
      }, () => {});
    });
  }

  // While the square moves, what was found in the former one is of no use.
  drag(square) {
    this.square = square;
    for (const pane of this.panes) {
      this.overlay(pane, []);
      pane.tool.show(this.data, square, this.tool, []);
    }
  }

  async findScale(address, key) {
    this.um = null;
    if (!address) { return; }
    try {
      const { umPerPixel, source } = await (await ask(address)).json();
      if (this.measured !== key || source === "assumed") { return; }
      this.um = { perPixel: umPerPixel, about: source !== "given" };
      this.panes.forEach((pane) => this.drawScale(pane));
    } catch { /* no scale is known, and none is drawn */ }
  }

  drawScale({ scale, map }) {
    scale.hidden = !this.um;
    if (!this.um) { return; }
    const perUm = 2 ** map.getZoom() / this.um.perPixel; // screen pixels
    const steps = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000];
    const um = steps.findLast((step) => step * perUm <= 140) ?? 1;
    const words = um >= 1000 ? `${um / 1000} mm` : `${um} µm`;
    scale.style.width = `${um * perUm}px`;
    scale.textContent = this.um.about ? `≈ ${words}` : words;
    scale.title = this.um.about ? "The scale is estimated from the nuclei." : "";
  }

  key(event) {
    if (held(event)) { return; }
    const target = event.target;
    if (target.matches("input[type=range]")) {
      if (event.key.startsWith("Arrow")) { event.stopPropagation(); }
      return;
    }
    if (!this.panes.some((pane) => pane.box === target)) { return; }
    const [{ map }] = this.panes;
    const pan = { ArrowLeft: [-PAN, 0], ArrowRight: [PAN, 0], ArrowUp: [0, -PAN],
      ArrowDown: [0, PAN] }[event.key];
    if (pan && this.root.hasAttribute("data-zoomed")) {
      map.panBy(pan, { animate: false });
    } else if (["+", "="].includes(event.key)) {
      this.zoom(1);
    } else if (event.key === "-") {
      this.zoom(-1);
    } else if (event.key === "0") {
      this.fit();
    } else { return; }
    event.preventDefault();
    event.stopPropagation(); // the page's own keys are these, too
  }

  button(icon, title, act) {
    const button = element("button", "her2-button");
    button.type = "button";
    button.title = title;
    button.setAttribute("aria-label", title);
    button.dataset.does = icon;
    const picture = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    picture.setAttribute("viewBox", "0 0 16 16");
    const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
    path.setAttribute("d", ICONS[icon]);
    picture.append(path);
    button.append(picture);
    button.addEventListener("click", act);
    this.bar.append(button);
    return button;
  }
}

function pressed(button, on) {
  button.setAttribute("aria-pressed", String(Boolean(on)));
}

function held(event) {
  return event.ctrlKey || event.metaKey || event.altKey || event.isComposing;
}

