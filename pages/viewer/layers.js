// The layers over the image: their pictures, and the rows by which they are shown and faded.

import { ask, element, setChildren } from "./dom.js";

const remembered = new Map(); // name of a layer -> {shown, opacity}, while this page lasts

export class Layers {
  constructor(changed, renew) {
    this.changed = changed;
    this.renew = renew; // asks the server for fresh addresses
    this.panel = element("div", "her2-layers");
    this.rows = new Map(); // name -> {said, element}
    this.pictures = new Map(); // path -> promise of an address within this page
    this.layers = [];
  }

  // Rows that say the same as before stay.
  show(layers) {
    this.layers = layers;
    const rows = new Map();
    for (const layer of layers) {
      const said = JSON.stringify([layer.title, layer.legend]);
      const row = this.rows.get(layer.name);
      rows.set(layer.name, row?.said === said ? row : { said, element: this.row(layer) });
    }
    setChildren(this.panel, [...rows.values()].map((row) => row.element));
    this.rows = rows;
  }

  // Those to be drawn in a view: where two stand side by side, each has its network's.
  visible(side) {
    return this.layers
      .filter((layer) => side === null || layer.pane === null || layer.pane === side)
      .map((layer) => ({ ...layer, ...this.look(layer) }))
      .filter((layer) => layer.shown);
  }

  sideBySide(two) {
    this.two = two;
    for (const layer of this.layers) { this.set(layer); }
  }

  // The picture is fetched once and kept for as long as its patch is in front.
  picture(address) {
    const path = address.split("?")[0];
    if (!this.pictures.has(path)) {
      const fetched = fetchPicture(address);
      this.pictures.set(path, fetched);
      fetched.then(() => { this.renewed = false; }, (status) => {
        this.pictures.delete(path);
        if (status === 403 && !this.renewed) {
          this.renewed = true;
          this.renew();
        }
      });
    }
    return this.pictures.get(path);
  }

  forget() {
    for (const fetched of this.pictures.values()) {
      fetched.then((url) => URL.revokeObjectURL(url), () => {});
    }
    this.pictures.clear();
    this.renewed = false;
  }

  look(layer) {
    const shown = layer.shown || (this.two && layer.name.startsWith("heat"));
    return { shown, opacity: layer.opacity, ...remembered.get(layer.name) };
  }

  row(layer) {
    const row = element("div", "her2-layer");
    row.dataset.layer = layer.name;
    const label = element("label", "her2-shown");
    const box = element("input");
    box.type = "checkbox";
    label.append(box, layer.title);
    const slider = element("input", "her2-opacity");
    Object.assign(slider, { type: "range", min: 0, max: 100, step: 1 });
    slider.setAttribute("aria-label", `Opacity of ${layer.title}`);
    slider.title = "Opacity";
    box.addEventListener("change", () => this.change(layer, { shown: box.checked }));
    slider.addEventListener("input", () => {
      this.change(layer, { shown: true, opacity: Number(slider.value) });
    });
    row.append(label, slider, legend(layer.legend));
    return row;
  }

  change(layer, part) {
    remembered.set(layer.name, { ...remembered.get(layer.name), ...part });
    this.changed();
    for (const one of this.layers) { this.set(one); }
  }

  set(layer) {
    const [box, slider] = this.rows.get(layer.name).element.querySelectorAll("input");
    const { shown, opacity } = this.look(layer);
    box.checked = shown;
    slider.value = opacity;
  }
}

async function fetchPicture(address) {
  return URL.createObjectURL(await (await ask(address)).blob());
}

function legend({ stops, low, high, swatches }) {
  const all = element("div", "her2-legend");
  if (stops.length) {
    const scale = element("span", "her2-stops");
    const colours = stops.map(([colour, place]) => `${colour} ${place}%`).join(", ");
    scale.style.backgroundImage = `linear-gradient(to right, ${colours})`;
    all.append(element("span", "", low), scale, element("span", "", high));
  }
  for (const [colour, meaning] of swatches) {
    const swatch = element("span", "her2-swatch");
    swatch.style.backgroundColor = colour;
    const one = element("span", "her2-meaning");
    one.append(swatch, meaning);
    all.append(one);
  }
  return all;
}
