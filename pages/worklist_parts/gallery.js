// The worklist as pictures: a list box of cards, of which several can be chosen and one be opened.
import { element, setChildren, stylesheet } from "./dom.js";

const styled = stylesheet("gallery.css");
const PAUSE = 250; // ms without another choice before the server is told
const galleries = new WeakMap(); // element of the page -> its gallery

export async function draw({ data, parentElement, setStateValue, setTriggerValue }) {
  await styled;
  if (!galleries.has(parentElement)) { galleries.set(parentElement, new Gallery(parentElement)); }
  galleries.get(parentElement).show(data, setStateValue, setTriggerValue);
  return () => {
    galleries.get(parentElement)?.root.remove();
    galleries.delete(parentElement);
  };
}

class Gallery {
  constructor(parent) {
    this.root = element("div", "her2-gallery");
    this.root.setAttribute("role", "listbox");
    this.root.setAttribute("aria-multiselectable", "true");
    this.root.setAttribute("aria-label", "Patches. Arrows move, space chooses, Enter opens.");
    this.root.addEventListener("keydown", (event) => this.key(event));
    this.cards = new Map(); // key -> {said, element, image}
    parent.append(this.root);
  }

  show(data, tell, trigger) {
    this.tell = tell;
    this.trigger = trigger;
    if (this.screen !== data.screen) {
      this.screen = data.screen;
      this.chosen = new Set(data.chosen);
    }
    // Cards that say the same as before stay, and so do all pictures and the place of the keyboard.
    const focused = document.activeElement?.closest?.(".her2-card")?.dataset.key;
    const current = [...this.cards].find(([, one]) => one.element.tabIndex === 0)?.[0];
    const cards = new Map();
    for (const card of data.cards) {
      const { image, ...words } = card;
      const said = JSON.stringify(words);
      const kept = this.cards.get(card.key);
      const made = kept?.said === said ? kept : { said, ...this.card(card, kept?.picture) };
      cards.set(card.key, made);
      if (!made.picture.src || made.picture.dataset.failed) {
        delete made.picture.dataset.failed;
        made.picture.src = image;
      }
    }
    this.cards = cards;
    this.renewed = false;
    const elements = [...cards.values()].map((one) => one.element);
    setChildren(this.root, elements);
    this.chosen = new Set([...this.chosen].filter((key) => cards.has(key)));
    for (const one of elements) { one.tabIndex = -1; }
    (cards.get(current)?.element ?? elements[0]).tabIndex = 0;
    if (focused && document.activeElement?.dataset.key !== focused) {
      cards.get(focused)?.element.focus();
    }
    this.mark();
  }

  card(card, kept) {
    const box = element("div", "her2-card");
    box.setAttribute("role", "option");
    box.tabIndex = -1;
    box.dataset.key = card.key;
    box.toggleAttribute("data-reviewed", card.reviewed);
    const picture = kept ?? this.picture();
    const pick = element("span", "her2-pick");
    pick.title = "Choose (space)";
    pick.addEventListener("click", (event) => {
      event.stopPropagation();
      this.toggle(card.key);
    });
    const scores = element("div", "her2-scores");
    for (const [reader, score] of card.scores) {
      const one = element("span", "her2-score", reader);
      one.append(element("b", "", score));
      scores.append(one);
    }
    box.append(
      pick, picture, element("div", "her2-name", card.name),
      element("div", "her2-state her2-review", card.state), scores,
    );
    if (card.label) { scores.append(element("span", "her2-score", `Label ${card.label}`)); }
    if (card.sure) { box.append(element("div", "her2-state", card.sure)); }
    if (card.doubt) { box.append(element("div", "her2-doubt", card.doubt)); }
    if (card.case) { box.append(element("div", "her2-case", card.case)); }
    box.querySelector(".her2-name").title = card.name;
    box.addEventListener("click", (event) => {
      if (event.ctrlKey || event.metaKey) { this.toggle(card.key); } else { this.open(card.key); }
    });
    return { element: box, picture };
  }

  picture() {
    const picture = element("img", "her2-thumbnail");
    picture.loading = "lazy";
    picture.decoding = "async";
    picture.alt = "";
    picture.addEventListener("error", () => this.gone(picture));
    return picture;
  }

  // An address that has expired is asked for anew, once; a picture that is not kept stays away.
  gone(picture) {
    picture.dataset.failed = "1";
    if (!this.renewed) {
      this.renewed = true;
      this.trigger("renew", Date.now());
    }
  }

  open(key) { this.trigger("open", key); }

  toggle(key) {
    if (!this.chosen.delete(key)) { this.chosen.add(key); }
    this.changed();
  }

  changed() {
    this.mark();
    clearTimeout(this.pause);
    this.pause = setTimeout(() => this.tell("chosen", [...this.chosen]), PAUSE);
  }

  mark() {
    for (const [key, { element: box }] of this.cards) {
      box.setAttribute("aria-selected", String(this.chosen.has(key)));
    }
  }

  key(event) {
    const here = event.target.closest?.(".her2-card");
    if (!here || event.altKey) { return; }
    const boxes = [...this.root.children];
    const at = boxes.indexOf(here);
    const columns = Math.max(1, boxes.filter((one) => one.offsetTop === boxes[0].offsetTop).length);
    const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns,
      Home: -at, End: boxes.length - 1 - at }[event.key];
    if (event.key === "a" && (event.ctrlKey || event.metaKey)) {
      this.chosen = new Set(this.cards.keys());
      this.changed();
    } else if (event.ctrlKey || event.metaKey) {
      return;
    } else if (event.key === " ") {
      this.toggle(here.dataset.key);
    } else if (event.key === "Enter") {
      this.open(here.dataset.key);
    } else if (event.key === "Escape") {
      this.chosen.clear();
      this.changed();
    } else if (step !== undefined) {
      const next = boxes[at + step];
      if (next) {
        here.tabIndex = -1;
        next.tabIndex = 0;
        next.focus();
      }
    } else { return; }
    event.preventDefault();
    event.stopPropagation();
  }
}
