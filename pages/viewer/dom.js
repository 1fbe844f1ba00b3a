// What the components share: elements, their style sheet, what they ask the server for.

export function element(name, kind = "", text = "") {
  const made = document.createElement(name);
  made.className = kind;
  made.textContent = text;
  return made;
}

// Resolved when the style sheet is there, or cannot be had.
export function stylesheet(file) {
  const link = document.createElement("link");
  link.rel = "stylesheet";
  link.href = new URL(file, import.meta.url).href;
  const loaded = new Promise((done) => { link.onload = link.onerror = done; });
  document.head.append(link);
  return loaded;
}

// Children that are there already stay, with the keyboard or the hand that is on them.
export function setChildren(parent, elements) {
  const before = [...parent.children];
  if (before.length !== elements.length || before.some((one, at) => one !== elements[at])) {
    parent.replaceChildren(...elements);
  }
}

// The server's answer; throws its status where it is no.
export async function ask(address) {
  const answer = await fetch(address, { cache: "no-store" });
  if (!answer.ok) { throw answer.status; }
  return answer;
}
