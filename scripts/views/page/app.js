
"use strict";
(() => {
  const page = JSON.parse(document.getElementById("data").textContent);
  const files = new Map(page.files.map((file, at) => [file.path, { ...file, at }]));
  const sources = new Map(page.sources.map((source) => [source.entry, source]));
  const table = document.getElementById("files");
  const body = table.tBodies[0];
  const rows = new Map([...body.rows].map((row) => [row.dataset.path, row]));
  const cells = [...document.querySelectorAll("a.cell")];
  const places = Object.keys(page.states);
  const byId = (id) => document.getElementById(id);

  // An element; whatever comes from the data becomes text, never markup.
  const make = (tag, attributes, ...inside) => {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes || {})) made.setAttribute(name, value);
    made.append(...inside.flat().filter((each) => each !== null && each !== undefined));
    return made;
  };
  const link = (url) =>
    /^https:\/\//.test(url) ? make("a", { href: url, rel: "noopener noreferrer" }, url) : url;
  const copyable = (text, what, tag = "code") =>
    make("div", { class: "copyable" }, make(tag, {}, text),
      make("button", { type: "button", class: "copy", "data-copy": text, "aria-label": `Copy ${what}` }, "Copy"));

  // Times, which stand in the page in UTC
  const day = (time) => `${time.slice(0, 16).replace("T", " ")} UTC`;
  const ago = (time) => {
    const seconds = Math.max((Date.now() - Date.parse(time)) / 1000, 0);
    const [unit, size] = [["year", 31557600], ["month", 2629800], ["day", 86400], ["hour", 3600], ["minute", 60]]
      .find(([, least]) => seconds >= least) || ["minute", 60];
    if (seconds < 60) return "just now";
    return new Intl.RelativeTimeFormat("en").format(-Math.floor(seconds / size), unit);
  };
  for (const each of document.querySelectorAll("time")) each.after(make("span", { class: "ago" }, ` ${ago(each.dateTime)}`));

  // Details of a file
  const scanned = (scan) => {
    if (!scan) return page.public ? null : "not scanned: the file is not here, or cannot be read";
    const mode = { true: `; allowed by weights_only of torch ${scan.torch}`, false: `; refused by weights_only of torch ${scan.torch}` };
    const lines = scan.rows.length ? scan.rows : scan.imports;
    return [
      make("p", {}, `${scan.verdict}: ${scan.kind}, ${scan.imports.length} imports${mode[scan.weights_only] ?? ""}`),
      make("ul", {}, lines.map((line) => make("li", {}, make("code", {}, line)))),
    ];
  };
  const seen = (look) => look && `${day(look.time)} (${ago(look.time)}): ${look.state}; ${look.why}`;
  const mirror = (url, source) => {
    const look = source?.mirrors.find((each) => each.url === url)?.seen;
    return make("li", {}, link(url), look && make("p", { class: "hint" }, seen(look)));
  };
  const facts = (file) => {
    const state = page.states[file.place];
    const source = sources.get(file.entry);
    return [
      ["What", file.desc],
      ["Path", copyable(file.path, "path")],
      ["State", state && `${state.word}: ${state.meaning}`],
      ["Cache", state && file.cached && "DVC's cache has the pinned bytes"],
      ["md5", file.md5 ? copyable(file.md5, "md5") : "no pin"],
      ["sha256", file.sha256 ? copyable(file.sha256, "sha256") : "not confirmed by anybody"],
      ["Licence", file.license && [file.license, file.license_note].filter(Boolean).join("; ")],
      ["Source", file.source && link(file.source)],
      ["Publisher", file.url && [make("p", {}, link(file.url)), file.member && make("p", {}, `as ${file.member} in this archive`)]],
      ["Mirrors", file.mirrors.length ? make("ul", {}, file.mirrors.map((url) => mirror(url, source))) : "none known"],
      ["By hand", source?.alternative],
      ["Last seen", file.entry && (seen(source?.seen) || "never")],
      ["Loading", scanned(file.scan)],
      ["Needed by", [...file.sets, ...file.configurations].join(", ") || "none of the sets and configurations"],
    ].filter(([, value]) => value);
  };
  const details = (file) => {
    const list = facts(file).flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value)]);
    const commands = Object.entries(file.commands).map(([name, text]) =>
      make("div", {}, make("h3", {}, name), make("div", { class: "command" }, copyable(text, `command: ${name}`, "pre"))));
    const note = page.address || !commands.length ? null
      : make("p", { class: "hint" }, "ADDRESS is the address of this repository.");
    const panel = make("div", { class: "panel" }, make("dl", {}, list), make("div", {}, commands, note));
    return make("tr", { class: "details", "data-for": file.path }, make("td", { colspan: table.tHead.rows[0].cells.length }, panel));
  };
  const isOpen = (row) => row.nextElementSibling?.classList.contains("details");
  const toggle = (row, open = !isOpen(row)) => {
    if (open === Boolean(isOpen(row))) return;
    if (open) row.after(details(files.get(row.dataset.path)));
    else row.nextElementSibling.remove();
    row.classList.toggle("open", open);
    row.querySelector("th button").setAttribute("aria-expanded", open);
  };
  for (const [path, row] of rows) {
    const name = row.querySelector(".name");
    const button = make("button", { type: "button", "aria-expanded": "false" }, files.get(path).name);
    button.addEventListener("click", () => { toggle(row); mark(path); });
    name.replaceChildren(button);
  }

  // The treemap
  const info = byId("treemap-info");
  const tell = (path) => {
    const file = files.get(path);
    info.textContent = [file.name, file.shown, page.states[file.place]?.word, file.license, file.host].filter(Boolean).join("  ·  ");
  };
  const mark = (path) => {
    for (const each of document.querySelectorAll("[aria-current]")) each.removeAttribute("aria-current");
    for (const each of [rows.get(path), ...cells.filter((cell) => cell.dataset.path === path)]) {
      each.setAttribute("aria-current", "true");
    }
    tell(path);
  };
  const choose = (path) => {
    const row = rows.get(path);
    if (!row) return;
    if (row.hidden) { form.reset(); filter(); }
    toggle(row, true);
    mark(path);
    row.querySelector("th button").focus({ preventScroll: true });
    row.scrollIntoView({ block: "center" });
    history.replaceState(null, "", `#${encodeURI(path)}`);
  };
  const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1, Home: -Infinity, End: Infinity };
  // Not on the drawing itself: Chromium lets the keyboard stop at one that listens to the focus.
  document.querySelector(".maps").addEventListener("focusin", ({ target }) => {
    for (const cell of target.closest("svg").querySelectorAll("a.cell")) {
      cell.setAttribute("tabindex", cell === target ? "0" : "-1");
    }
    tell(target.dataset.path);
  });
  for (const map of document.querySelectorAll("svg.treemap")) {
    const own = [...map.querySelectorAll("a.cell")];
    own.forEach((cell, at) => cell.setAttribute("tabindex", at ? "-1" : "0"));
    map.addEventListener("click", (event) => {
      const cell = event.target.closest("a.cell");
      if (cell) { event.preventDefault(); choose(cell.dataset.path); }
    });
    map.addEventListener("pointerover", (event) => {
      const cell = event.target.closest("a.cell");
      if (cell) tell(cell.dataset.path);
    });
    map.addEventListener("keydown", (event) => {
      if (!(event.key in step)) return;
      const next = own.indexOf(document.activeElement) + step[event.key];
      own[Math.min(Math.max(next, 0), own.length - 1)].focus();
      event.preventDefault();
    });
  }

  // Filters
  const form = document.querySelector(".filters");
  const tests = {
    text: (file, value) => `${file.path} ${file.desc}`.toLowerCase().includes(value.toLowerCase()),
    family: (file, value) => file.family === value,
    set: (file, value) => file.sets.includes(value) || file.configurations.includes(value),
    licence: (file, value) => (file.license || "none") === value,
    state: (file, value) => page.states[file.place]?.word === value,
    host: (file, value) => (file.host || "none") === value,
  };
  const bytes = (size) => {
    for (const unit of ["B", "kB", "MB"]) {
      if (size < 1000) return `${unit === "B" ? size : size.toFixed(1)} ${unit}`;
      size /= 1000;
    }
    return `${size.toFixed(2)} GB`;
  };
  const filter = () => {
    const chosen = [...form.querySelectorAll("[data-filter]")].filter((each) => each.value);
    const fits = new Set();
    for (const [path, file] of files) {
      if (chosen.every((each) => tests[each.dataset.filter](file, each.value))) fits.add(path);
    }
    for (const [path, row] of rows) {
      if (!fits.has(path)) toggle(row, false);
      row.hidden = !fits.has(path);
    }
    for (const cell of cells) cell.classList.toggle("off", !fits.has(cell.dataset.path));
    for (const family of document.querySelectorAll("g.family")) {
      family.classList.toggle("off", !family.querySelector("a.cell:not(.off)"));
    }
    const shown = [...fits].map((path) => files.get(path));
    const guessed = shown.some((file) => file.estimated || file.size === null) ? "~" : "";
    const size = shown.reduce((sum, file) => sum + (file.size || 0), 0);
    byId("count").textContent = `${fits.size} of ${files.size} files, ${guessed}${bytes(size)}`;
  };
  form.addEventListener("input", filter);
  form.addEventListener("reset", () => setTimeout(filter));
  form.addEventListener("submit", (event) => event.preventDefault());

  // Order
  const keys = {
    name: (file) => file.name, family: (file) => file.family, size: (file) => file.size ?? -1,
    state: (file) => places.indexOf(file.place), set: (file) => [...file.sets, ...file.configurations].join(),
    licence: (file) => file.license || "", host: (file) => file.host || "",
  };
  const compare = new Intl.Collator("en", { numeric: true }).compare;
  const sort = (head) => {
    const up = head.getAttribute("aria-sort") !== "ascending";
    for (const each of table.tHead.rows[0].cells) each.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", up ? "ascending" : "descending");
    const key = keys[head.dataset.sort];
    const ordered = [...files.values()].sort((a, b) => {
      const [x, y] = [key(a), key(b)];
      const order = typeof x === "number" ? x - y : compare(x, y);
      return (up ? order : -order) || a.at - b.at;
    });
    for (const { path } of ordered) {
      const row = rows.get(path);
      const open = isOpen(row) ? row.nextElementSibling : null;
      body.append(row);
      if (open) body.append(open);
    }
  };
  for (const head of table.tHead.rows[0].cells) {
    const button = make("button", { type: "button" }, head.textContent);
    button.addEventListener("click", () => sort(head));
    head.replaceChildren(button);
  }

  // Copying
  const copy = async (text) => {
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      const area = make("textarea", { readonly: "" }, text);
      document.body.append(area);
      area.select();
      document.execCommand("copy");
      area.remove();
    }
  };
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("button.copy");
    if (!button) return;
    await copy(button.dataset.copy);
    byId("copied").textContent = "Copied";
    setTimeout(() => { byId("copied").textContent = ""; }, 1500);
  });

  const asked = decodeURIComponent(location.hash.slice(1));
  if (rows.has(asked)) choose(asked);
})();
