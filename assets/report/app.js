"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const { fields, colors, states, reasons } = data.meta;
const records = data.records;
const byId = (id) => document.getElementById(id);
const ROW = 64;

const labelAt = fields.findIndex((field) => field.key === "label_ko");
const tagsAt = fields.findIndex((field) => field.key === "tags_ko");
const colorsAt = fields.findIndex((field) => field.key === "colors");

const fold = (text) => text.normalize("NFC").toLowerCase();
const families = new Map();
records.forEach((record, at) => {
  record.at = at;
  record.text = fold([record.name, record.path, record.note || "", ...record.values.flat()].join("\n"));
  if (record.family !== null) {
    families.set(record.family, [...(families.get(record.family) || []), record]);
  }
});
const familySize = (record) => (record.family === null ? 1 : families.get(record.family).length);
const values = (record, at) => (at < 0 ? [] : record.values[at]);

// Everything that comes from outside is set as text, never as markup.
function element(name, attributes, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes || {})) {
    if (key === "class") made.className = value;
    else made.setAttribute(key, value);
  }
  made.append(...children);
  return made;
}

function icon(record, large) {
  if (!record.icon) return element("span", { class: "icon" + (large ? " large" : "") });
  const image = element("img", { class: "icon" + (large ? " large" : ""), alt: "" });
  image.src = "data:" + record.icon[0] + ";base64," + record.icon[1];
  return image;
}

function options(id, all) {
  for (const [value, count] of all) {
    byId(id).append(element("option", { value }, value + " (" + count + ")"));
  }
}

function counted(of) {
  const counts = new Map();
  for (const record of records) for (const value of of(record)) counts.set(value, (counts.get(value) || 0) + 1);
  return [...counts].sort((a, b) => b[1] - a[1]);
}

options("state", counted((record) => [states[record.state]]));
options("reason", counted((record) => record.reasons.map((reason) => reasons[reason])));
options("color", counted((record) => new Set(values(record, colorsAt))));
for (const [tag] of counted((record) => new Set(values(record, tagsAt))).slice(0, 500)) {
  byId("tags").append(element("option", { value: tag }));
}

let shown = records;
let chosen = null;

function filter() {
  const words = fold(byId("search").value).split(/\s+/).filter(Boolean);
  const [state, reason, color] = ["state", "reason", "color"].map((id) => byId(id).value);
  const tag = fold(byId("tag").value.trim());
  const edited = byId("edited").checked;
  const inFamily = byId("families").checked;
  shown = records.filter((record) =>
    words.every((word) => record.text.includes(word))
    && (!state || states[record.state] === state)
    && (!reason || record.reasons.some((of) => reasons[of] === reason))
    && (!color || values(record, colorsAt).includes(color))
    && (!tag || values(record, tagsAt).some((of) => fold(of).includes(tag)))
    && (!edited || record.before)
    && (!inFamily || familySize(record) > 1));
  const sort = byId("sort").value;
  if (sort === "uncertainty") shown.sort((a, b) => b.uncertainty - a.uncertainty);
  if (sort === "name") shown.sort((a, b) => a.name.localeCompare(b.name, "ko"));
  if (sort === "order" && inFamily) shown.sort((a, b) => a.family - b.family || a.at - b.at);
  byId("count").textContent = shown.length.toLocaleString("en") + " of " + records.length.toLocaleString("en");
  byId("space").style.height = shown.length * ROW + "px";
  byId("list").scrollTop = 0;
  draw();
}

// Only the rows in sight exist.
function draw() {
  const list = byId("list");
  const first = Math.max(0, Math.floor(list.scrollTop / ROW) - 5);
  const last = Math.min(shown.length, first + Math.ceil(list.clientHeight / ROW) + 10);
  const rows = [];
  for (let at = first; at < last; at += 1) {
    const record = shown[at];
    const label = values(record, labelAt)[0] || record.failure || "";
    const row = element("div", { class: "row" + (record === chosen ? " chosen" : "") },
      icon(record),
      element("div", {},
        element("p", {}, element("b", {}, element("bdi", {}, record.name || record.path)), " ", element("bdi", {}, label)),
        element("p", { class: "reasons" }, record.reasons.map((reason) => reasons[reason]).join(", "))),
      element("span", { class: "state" }, states[record.state] + " " + record.uncertainty.toFixed(2)));
    row.style.top = at * ROW + "px";
    row.onclick = () => choose(record);
    rows.push(row);
  }
  list.querySelectorAll(".row").forEach((row) => row.remove());
  list.append(...rows);
}

// Words that only one of two texts has.
function difference(before, after) {
  const [a, b] = [before, after].map((text) => text.split(/(\s+)/).filter(Boolean).slice(0, 400));
  const length = Array.from({ length: a.length + 1 }, () => new Uint16Array(b.length + 1));
  for (let i = a.length - 1; i >= 0; i -= 1) {
    for (let j = b.length - 1; j >= 0; j -= 1) {
      length[i][j] = a[i] === b[j] ? length[i + 1][j + 1] + 1 : Math.max(length[i + 1][j], length[i][j + 1]);
    }
  }
  const parts = [];
  let [i, j] = [0, 0];
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) { parts.push(a[i]); i += 1; j += 1; }
    else if (j >= b.length || (i < a.length && length[i + 1][j] >= length[i][j + 1])) { parts.push(element("del", {}, a[i])); i += 1; }
    else { parts.push(element("ins", {}, b[j])); j += 1; }
  }
  return parts;
}

function chips(at, list) {
  return list.map((value) => {
    const chip = element("span", { class: "chip" });
    if (at === colorsAt && colors[value]) {
      const swatch = element("span", { class: "swatch" });
      swatch.style.background = colors[value];
      chip.append(swatch);
    }
    chip.append(element("bdi", {}, value));
    return chip;
  });
}

function choose(record) {
  chosen = record;
  const facts = [
    ["state", states[record.state]],
    ["uncertainty", record.uncertainty.toFixed(3)],
    ["reasons", record.reasons.map((reason) => reasons[reason]).join(", ")],
    ["path", record.path],
    ["part", record.part || ""],
    ["note", record.note || ""],
    ["failure", record.failure || ""],
  ];
  const list = element("dl", {});
  const add = (name, ...what) => list.append(element("dt", {}, name), element("dd", {}, ...what));
  for (const [name, value] of facts) if (value) add(name, element("bdi", {}, value));
  fields.forEach((field, at) => {
    const now = record.values[at];
    const was = record.before ? record.before[at] : now;
    if (was.join("\n") !== now.join("\n")) add(field.name, ...difference(was.join(", "), now.join(", ")));
    else if (now.length) add(field.name, ...(field.list ? chips(at, now) : [element("bdi", {}, now.join(", "))]));
  });
  const parts = [icon(record, true), element("h2", {}, element("bdi", {}, record.name || record.path)), list];
  if (record.before) parts.push(element("p", { class: "quiet" }, "Marked: what was changed since the first text."));
  const instead = record.instead && records.find((other) => other.path === record.instead);
  if (instead) {
    const image = icon(instead);
    image.onclick = () => choose(instead);
    parts.push(element("h2", {}, "A search by the label finds instead"),
      element("div", { class: "siblings" }, image, " ", element("bdi", {}, instead.name || instead.path)));
  }
  if (familySize(record) > 1) {
    const siblings = families.get(record.family).map((sibling) => {
      const image = icon(sibling);
      image.title = sibling.name;
      image.onclick = () => choose(sibling);
      return image;
    });
    parts.push(element("h2", {}, "The same drawing (" + siblings.length + ")"), element("div", { class: "siblings" }, ...siblings));
  }
  byId("detail").replaceChildren(...parts);
  draw();
}

for (const id of ["search", "tag", "state", "reason", "color", "edited", "families", "sort"]) {
  byId(id).addEventListener("input", filter);
}
byId("clear").onclick = () => {
  for (const id of ["search", "tag", "state", "reason", "color"]) byId(id).value = "";
  for (const id of ["edited", "families"]) byId(id).checked = false;
  filter();
};
byId("list").addEventListener("scroll", draw);
byId("list").addEventListener("keydown", (event) => {
  const step = { ArrowDown: 1, j: 1, ArrowUp: -1, k: -1 }[event.key];
  if (!step || !shown.length) return;
  event.preventDefault();
  const at = Math.min(shown.length - 1, Math.max(0, shown.indexOf(chosen) + step));
  choose(shown[at]);
  const list = byId("list");
  const top = at * ROW;
  if (top < list.scrollTop) list.scrollTop = top;
  if (top + ROW > list.scrollTop + list.clientHeight) list.scrollTop = top + ROW - list.clientHeight;
});
window.addEventListener("resize", draw);
document.querySelectorAll("[data-filter]").forEach((bar) => {
  bar.addEventListener("click", () => {
    byId(bar.dataset.filter).value = bar.dataset.value;
    filter();
  });
});
byId("theme").onclick = () => {
  const root = document.documentElement;
  const isDark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = isDark ? "light" : "dark";
};
filter();
