// Rasterises the emoji of things.tsv from every vendor: WORK/icons.bin (64x64 RGBA each) and WORK/icons.json.
import fs from 'node:fs';
import path from 'node:path';
import { createRequire } from 'node:module';

const work = process.argv[2];
const require = createRequire(path.join(work, 'package.json'));
const { Resvg } = require('@resvg/resvg-js');
const SIZE = 64;
const VENDORS = ['fluent-emoji', 'fluent-emoji-flat', 'noto', 'fxemoji', 'emojione', 'streamline-emojis', 'noto-v1', 'twemoji'];
const packages = path.join(work, 'node_modules');
// Pictures that a renderer draws wrongly or that show another thing than the emoji's name says.
const SKIP = new Set(fs.readFileSync(new URL('skip.txt', import.meta.url), 'utf8').split('\n').filter(Boolean));

const json = (file) => JSON.parse(fs.readFileSync(file, 'utf8'));
const sets = Object.fromEntries(VENDORS.map((vendor) => {
  const folder = path.join(packages, '@iconify-json', vendor);
  return [vendor, { icons: json(path.join(folder, 'icons.json')), chars: json(path.join(folder, 'chars.json')) }];
}));

const [header, ...rows] = fs.readFileSync(new URL('things.tsv', import.meta.url), 'utf8').trim().split('\n');
const columns = header.split('\t');
const things = rows.map((row) => Object.fromEntries(row.split('\t').map((cell, i) => [columns[i], cell])));

/** The icon of a code point: by the set's own table, else by the name that other sets give it. */
function find(vendor, codepoint) {
  const { icons, chars } = sets[vendor];
  const known = (name) => name && (icons.icons[name] || icons.aliases?.[name]) && name;
  const names = [chars[codepoint], chars[`${codepoint}-fe0f`]];
  for (const other of ['noto', 'fluent-emoji-flat', 'twemoji']) {
    const name = sets[other].chars[codepoint];
    if (name) names.push(name, name.replaceAll('-', ''), `${name}-1`);
  }
  return names.find(known);
}

function pixels(vendor, name) {
  const { icons } = sets[vendor];
  const icon = icons.icons[name] ?? icons.icons[icons.aliases[name].parent];
  const width = icon.width ?? icons.width ?? 16;
  const height = icon.height ?? icons.height ?? 16;
  const side = Math.max(width, height);
  const view = `${(width - side) / 2} ${(height - side) / 2} ${side} ${side}`;
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="${view}" width="${SIZE}" height="${SIZE}">${icon.body}</svg>`;
  return Buffer.from(new Resvg(svg, { font: { loadSystemFonts: false }, fitTo: { mode: 'width', value: SIZE } }).render().pixels);
}

const icons = [];
const buffers = [];
things.forEach((thing, index) => {
  for (const vendor of VENDORS) {
    const name = find(vendor, thing.codepoint);
    if (!name || SKIP.has(`${vendor}/${name}`)) continue;
    fs.writeFileSync(path.join(work, 'rendering.txt'), `${vendor}/${name}\n`); // a crash of the renderer names its picture
    buffers.push(pixels(vendor, name));
    icons.push({ thing: index, vendor, name });
  }
});
fs.writeFileSync(path.join(work, 'icons.bin'), Buffer.concat(buffers));
fs.writeFileSync(path.join(work, 'icons.json'), JSON.stringify({ size: SIZE, icons }));
const count = {};
for (const { vendor } of icons) count[vendor] = (count[vendor] ?? 0) + 1;
console.log(things.length, 'things', icons.length, 'pictures', count);
