// The viewer of a slide: tiles instead of one image, the regions that were read, and a mini map.
import * as L from "./leaflet.js";
import { ask, element } from "./dom.js";
import { Viewer, drawWith } from "./viewer.js";
import { bounds, words } from "./square.js";

const Tiles = L.TileLayer.extend({
  getTileUrl({ x, y, z }) { return this.options.address(-z, x, y); },
});

class SlideViewer extends Viewer {
  shows = "slide";
  closest = 2;

  constructor(parent) {
    super(parent);
    this.mini = element("div", "her2-mini");
    this.mini.append(element("img"), element("div", "her2-seen"));
    this.mini.setAttribute("aria-hidden", "true"); // keys move the slide, too
    this.mini.addEventListener("pointerdown", (event) => this.jump(event));
    this.frame.append(this.mini);
  }

  follow(data) { this.um = data.um; }

  squareTool() { return { show() {} }; } // no square is chosen on a slide

  address(level, x, y) {
    const [tiles, signature] = this.data.tiles.split("?");
    return `${tiles}/${level}/${x}/${y}?${signature}`;
  }

  // The whole slide, small, and over it the tiles of what is seen.
  image(pane) {
    if (pane.tiles) {
      if (this.failed && this.failed !== this.data.tiles) { // the address had expired
        this.failed = null;
        pane.tiles.redraw();
      }
      return;
    }
    const { coarsest } = this.data;
    pane.tiles = new Tiles("", {
      address: (...place) => this.address(...place), tileSize: 256, noWrap: true, keepBuffer: 3,
      minZoom: -12, maxZoom: 12, minNativeZoom: -coarsest, maxNativeZoom: 0,
      bounds: this.imageBounds(), zIndex: 1, alt: "",
    }).addTo(pane.map);
    pane.tiles.on("tileload", ({ tile }) => { // narrower at the slide's edges
      tile.style.width = `${tile.naturalWidth}px`;
      tile.style.height = `${tile.naturalHeight}px`;
    });
    pane.tiles.on("tileerror", () => this.fresh());
    this.layers.picture(this.address(coarsest, 0, 0)).then((url) => {
      if (pane.base || !this.panes.includes(pane)) { return; }
      pane.map.createPane("whole").style.zIndex = 100; // below the tiles
      const options = { alt: "The slide", pane: "whole" };
      pane.base = L.imageOverlay(url, this.imageBounds(), options).addTo(pane.map);
      this.mini.firstChild.src = url;
    }, () => { pane.label.textContent = "The slide could not be fetched; reload the page."; });
  }

  // Asks for a fresh address, once for each that has failed.
  fresh() {
    if (this.failed === this.data.tiles) { return; }
    this.failed = this.data.tiles;
    this.tell("renew", Date.now());
  }

  moved(pane) {
    super.moved(pane);
    const { width, height } = this.data;
    const { west, east, north, south } = edges(pane.map.getBounds());
    const share = (value, whole) => `${100 * Math.min(1, Math.max(0, value / whole))}%`;
    Object.assign(this.mini.lastChild.style, {
      left: share(west, width), top: share(north, height),
      right: share(width - east, width), bottom: share(height - south, height),
    });
  }

  jump(event) {
    const box = this.mini.getBoundingClientRect();
    const x = (event.clientX - box.left) / box.width * this.data.width;
    const y = (event.clientY - box.top) / box.height * this.data.height;
    this.panes[0].map.panTo([-y, x], { animate: false });
  }

  // The regions; a click on one opens it.
  overlay(pane, [layer]) {
    if (!layer) {
      pane.regions?.remove();
      return;
    }
    const cover = pane.map.getPane("regions") ?? pane.map.createPane("regions");
    cover.style.opacity = layer.opacity / 100;
    cover.style.zIndex = 450;
    if (pane.asked === layer.path) {
      pane.regions?.addTo(pane.map);
      return;
    }
    pane.asked = layer.path;
    ask(layer.address).then((answer) => answer.json()).then((found) => {
      if (pane.asked !== layer.path || !this.panes.includes(pane)) { return; }
      pane.regions?.remove();
      pane.renderer ??= L.canvas({ pane: "regions", padding: 0.5 });
      pane.regions = L.featureGroup(found.map((one) => rectangle(one, pane.renderer)));
      pane.regions.bindTooltip(({ region }) => words(region.lines), { sticky: true });
      pane.regions.on("click", ({ propagatedFrom, layer: clicked }) => {
        const { x, y } = (propagatedFrom ?? clicked).region;
        this.tell("region", { x, y });
      });
      this.refresh();
    }, () => {
      pane.asked = null;
      this.fresh();
    });
  }
}

export const draw = (component) => drawWith(SlideViewer, component);

function rectangle(region, renderer) {
  const { x, y, size, colour } = region;
  const place = bounds({ x, y, width: size, height: size });
  const drawn = L.rectangle(place, {
    renderer, pane: "regions", color: "#fff", weight: 1, fillColor: colour, fillOpacity: 1,
  });
  drawn.region = region;
  return drawn;
}

function edges(seen) {
  return {
    west: seen.getWest(), east: seen.getEast(), north: -seen.getNorth(), south: -seen.getSouth(),
  };
}
